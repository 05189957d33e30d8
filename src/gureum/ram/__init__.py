"""RAM's API (Resource Access Manager): who shares which resources with whom, one file a subject."""
