"""What operators and newcomers look at: health, metrics, the documents, and what is watched beside requests."""
