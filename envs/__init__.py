"""The world as learners see it: scenario, episode, World.step and its views."""
