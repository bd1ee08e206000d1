"""Labels that the service is taught from few recordings: how right they are."""
