"""Keys: no way out for a signer's key, no way in for a weak one."""

import copy
import os
import pickle
import signal
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.keys import (
    SoftwareSigner,
    are_signed_by,
    check_public_key,
    create_key_file,
    is_signed_by,
    load_signer,
    sign_all,
    simulation_chain_id,
    simulation_signer,
)
from ledger.registry import Registry
from market.errors import LedgerError

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
CHAIN = simulation_chain_id(1, b"")
IDENTITY = bytes([1]) + bytes(31)


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """Sum of two points of the Edwards curve."""
    product = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, P - 2, P) % P
    return x, (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, P - 2, P) % P


def point(y: int) -> tuple[int, int] | None:
    """A point with that y, if there is one."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return x, y
    return None


def small_order_keys() -> set[bytes]:
    """The eight points of small order, found by multiplying points by the large prime order."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[tuple[int, int]] = set()
    y = 2
    while len(found) < 8:
        base, total, left = point(y), (0, 1), order
        y += 1
        while base and left:
            total = add(total, base) if left & 1 else total
            base, left = add(base, base), left >> 1
        multiple = total
        for _ in range(8):
            found.add(multiple)
            multiple = add(multiple, total)
    return {(y | (x & 1) << 255).to_bytes(32, "little") for x, y in found}


def test_a_public_key_of_small_order_is_refused() -> None:
    """All eight points, computed here from the curve, and each with the other sign bit."""
    keys = small_order_keys()
    assert len(keys) == 8
    for key in keys:
        for form in (key, key[:31] + bytes([key[31] ^ 0x80])):
            with pytest.raises(LedgerError, match="small order"):
                check_public_key(form)


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_a_public_key_that_is_not_canonical_is_refused(y: int) -> None:
    """A y coordinate of p or more is a second spelling."""
    for sign in (0, 1 << 255):
        with pytest.raises(LedgerError, match="canonical"):
            check_public_key((y | sign).to_bytes(32, "little"))


def test_the_library_accepts_a_forgery_under_the_identity_key_and_the_registry_refuses_the_key() -> None:
    """Why the check exists: anyone can sign anything for the identity point."""
    forged = IDENTITY + bytes(32)
    verifier = Ed25519PublicKey.from_public_bytes(IDENTITY)
    assert is_signed_by(verifier, forged, b"pay the bearer")
    with pytest.raises(LedgerError):
        Registry().register(0, IDENTITY)


def test_a_key_is_registered_once() -> None:
    """Two parties never share a key; lengths are exact."""
    registry, key = Registry(), SoftwareSigner.generate().public_key
    registry.register(0, key)
    with pytest.raises(LedgerError, match="already"):
        registry.register(1, key)
    with pytest.raises(LedgerError, match="32 bytes"):
        registry.register(1, key[:31])


def test_a_signer_has_no_way_to_give_its_key_away() -> None:
    """No attribute, printing, copy or pickle leads to the private key."""
    signer = simulation_signer(CHAIN, 1, "home")
    public_names = {name for name in dir(signer) if not name.startswith("_")}
    assert public_names == {"generate", "key_id", "public_key", "sign"}
    for name in dir(signer):
        assert not isinstance(getattr(signer, name), Ed25519PrivateKey)
    assert signer.key_id.hex() in repr(signer)
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            way(signer)
    with pytest.raises(TypeError):
        vars(signer)


def test_simulation_keys_repeat_and_stay_in_simulations() -> None:
    """Same seed and party, same key; no derived key on any other chain."""
    again = simulation_signer(CHAIN, 1, "home").public_key
    assert again == simulation_signer(CHAIN, 1, "home").public_key
    assert (
        len({again, simulation_signer(CHAIN, 2, "home").public_key, simulation_signer(CHAIN, 1, "shop").public_key})
        == 3
    )
    assert simulation_chain_id(1, b"other") != CHAIN
    with pytest.raises(LedgerError, match="simulations only"):
        simulation_signer(b"L" + CHAIN[1:], 1, "home")


def test_a_key_file_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    """Readable by the owner only, loadable, and refused when it is something else."""
    path = tmp_path / "device.pem"
    signer = create_key_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signer(path).public_key == signer.public_key
    with pytest.raises(LedgerError, match="not written"):
        create_key_file(path)
    path.write_bytes(b"no key")
    with pytest.raises(LedgerError, match="no readable key"):
        load_signer(path)
    with pytest.raises(LedgerError):
        load_signer(tmp_path / "missing.pem")


def test_a_forked_process_signs_too() -> None:
    """Worker processes inherit no dead threads."""
    signers = [simulation_signer(CHAIN, 1, str(number)) for number in range(20)]
    messages = [b"m"] * 20
    expected = sign_all(signers, messages)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if sign_all(signers, messages) == expected else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_signatures_are_made_and_checked_as_one_by_one() -> None:
    """Sharing the work among threads changes no result and no order."""
    signers = [simulation_signer(CHAIN, 1, str(number)) for number in range(23)]
    messages = [bytes([number]) for number in range(23)]
    signatures = sign_all(signers, messages)
    assert signatures == [signer.sign(message) for signer, message in zip(signers, messages, strict=True)]
    keys = [Ed25519PublicKey.from_public_bytes(signer.public_key) for signer in signers]
    messages[11] = b"x"
    claims = list(zip(keys, signatures, messages, strict=True))
    assert are_signed_by(claims) == [number != 11 for number in range(23)]
