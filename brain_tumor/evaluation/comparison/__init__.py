"""Several models on the same images, compared as a statistician would; pure functions of their predictions tables."""
