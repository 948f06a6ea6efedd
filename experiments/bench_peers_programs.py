"""Programs that clear a book with another library, each run by the Python of that library's own environment.

They are text because nothing of those libraries is installed here. A program reads one JSON object on standard input:
mechanism, areas, orders as [buys, area, price in JPY/kWh, lots], lines as [from, to, lots]. It clears the first orders
once so that everything is loaded, then all of them, timed from the library's own form of the book to its result, and
prints one JSON object: seconds, lots filled of each order, prices. The calls are those of the libraries' sources.
"""

ASSUME = """
import json, sys
from datetime import datetime, timedelta
from time import perf_counter
import pandas as pd
from assume.common.market_objects import MarketConfig, MarketProduct
from assume.markets.clearing_algorithms import clearing_mechanisms
from dateutil import rrule
from dateutil.relativedelta import relativedelta

task = json.load(sys.stdin)
start = datetime(2026, 1, 1)
end = start + timedelta(hours=1)
product = (start, end, None)
parameters = {}
if task["lines"]:
    lines = pd.DataFrame(task["lines"], columns=["bus0", "bus1", "s_nom"])
    buses = sorted({*lines["bus0"], *lines["bus1"]})
    parameters["grid_data"] = {"lines": lines, "buses": pd.DataFrame(index=buses)}
market = clearing_mechanisms[task["mechanism"]](
    MarketConfig(
        market_id="bench",
        opening_hours=rrule.rrule(rrule.HOURLY, dtstart=start, until=end + timedelta(days=1)),
        market_products=[MarketProduct(relativedelta(hours=1), 1)],
        param_dict=parameters,
    )
)

def book(orders):
    return [
        {
            "bid_id": str(number), "start_time": start, "end_time": end, "only_hours": None, "agent_addr": "bench",
            "bid_type": "SB", "node": area if task["lines"] else "node0",
            "price": price, "volume": -lots if buys else lots,
        }
        for number, (buys, area, price, lots) in enumerate(orders)
    ]

market.clear(book(task["orders"][:50]), [product])
orders = book(task["orders"])
given = {order["bid_id"]: order for order in orders}
began = perf_counter()
accepted, rejected, meta, flows = market.clear(orders, [product])
seconds = perf_counter() - began
filled = [0.0] * len(given)
for order in accepted:
    filled[int(order["bid_id"])] = abs(order["accepted_volume"])
# the summary averages; what an accepted order pays is the price
if task["lines"]:
    price_of = {row["node"]: row["price"] for row in meta}
    prices = [price_of[area] for area in task["areas"]]
else:
    prices = sorted({order["accepted_price"] for order in accepted})
print(json.dumps({"seconds": seconds, "filled": filled, "prices": prices}))
"""

PYMARKET = """
import json, sys, warnings
from time import perf_counter
warnings.simplefilter("ignore")
import numpy as np
import pandas as pd
from pymarket.mechanisms import HuangAuction, MudaAuction

task = json.load(sys.stdin)

def auction(orders):
    bids = pd.DataFrame(
        [(float(lots), price, number, bool(buys), 0, True) for number, (buys, _, price, lots) in enumerate(orders)],
        columns=["quantity", "price", "user", "buying", "time", "divisible"],
    )
    if task["mechanism"] == "muda":
        return MudaAuction(bids, r=np.random.RandomState(task["seed"]))
    return HuangAuction(bids)

auction(task["orders"][:50]).run()
mechanism = auction(task["orders"])
began = perf_counter()
transactions, extra = mechanism.run()
seconds = perf_counter() - began
deals = transactions.get_df()
filled = np.bincount(deals["bid"].astype(int), deals["quantity"].astype(float), len(task["orders"]))
prices = [float(extra[name]) for name in sorted(extra) if name.startswith("price")]
print(json.dumps({"seconds": seconds, "filled": filled.tolist(), "prices": prices}))
"""
