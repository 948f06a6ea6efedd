"""The world as learners see it: scenario, episode, World.step and its views.

Importing this package makes one environment per scenario known to Gymnasium, `digitalgrid/UrawaMisono-v0` and so on;
`gymnasium.make("envs:digitalgrid/UrawaMisono-v0")` imports it, also in worker processes. Nothing heavy is loaded
before an environment is made.
"""

from pathlib import Path

from gymnasium.envs.registration import register

for _path in sorted((Path(__file__).parent / "scenarios").glob("*.toml")):
    register(
        "digitalgrid/" + "".join(word.capitalize() for word in _path.stem.split("_")) + "-v0",
        entry_point="envs.single_env:DigitalGridEnv",
        vector_entry_point="envs.vector_env:MarketVectorEnv",
        kwargs={"scenario": _path.stem.replace("_", "-")},
    )
