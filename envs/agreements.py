"""What parties of a scenario file have agreed before the market opens: who represents whom, and who supplies whom.

A service provider represents a balancing group (`market.groups`); a long contract supplies buyers at a fixed price
(`market.long_contracts`). Parties are named by a group's name, or by the key of all groups of a kind, as `homes`.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from envs.quantities import Name, PowerKw, PriceJpy, Spec, whole_factor
from market.groups import AllocationRule


class ServiceProviderSpec(Spec):
    """The representative (代表契約者) of the parties of `members` that stand in `area`, and how it shares imbalance."""

    name: Name
    area: str
    members: Annotated[tuple[str, ...], Field(min_length=1)]
    allocation: AllocationRule = "own"


class LongContractSpec(Spec):
    """Supply agreed before the market opens (長期相対契約): what each buyer takes in a slot, at one price.

    `seller` names thermal units or a retailer. Either `share` of the buyer's expected load, or `kw` on average; with
    the profile `load` the energy follows the expected load by month and half hour, with `flat` it is the same always.
    """

    seller: str
    buyer: str
    share: Annotated[float, Field(gt=0, le=2), AfterValidator(whole_factor)] | None = None
    kw: PowerKw | None = None
    price_jpy_kwh: PriceJpy
    profile: Literal["flat", "load"] = "load"

    @model_validator(mode="after")
    def _says_how_much(self) -> Self:
        if (self.share is None) == (self.kw is None):
            raise ValueError("a long contract has a share or kw, one of them")
        return self
