"""The page: photos are dropped on it in a browser, and protected by this machine."""
