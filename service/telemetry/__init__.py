"""Telemetry: metrics, logs, traces."""
