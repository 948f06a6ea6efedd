"""Who trades: devices, forecasts, observations, quotes and policies; columns first, Mesa agents as windows on them."""
