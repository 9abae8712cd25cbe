"""HTTP: endpoints, what comes in, what goes out, the API's document and the pages."""
