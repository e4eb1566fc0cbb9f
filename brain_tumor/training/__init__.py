"""Build, fit and predict with Lightning; knows nothing of reports or dashboards."""
