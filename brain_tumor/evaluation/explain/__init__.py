"""Saliency maps, checks of their validity, and figures of images with their maps."""
