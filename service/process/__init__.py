"""The process: workers, stopping, the health probe, exit statuses, background tasks."""
