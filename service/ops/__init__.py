"""Operations: health, metrics, the documentation pages, and the monitor that runs beside requests."""
