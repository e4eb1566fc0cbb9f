"""Several processes that train together: how many, who starts them, what ends them."""
