"""Images larger than memory, and work spread over processes or a Dask cluster."""
