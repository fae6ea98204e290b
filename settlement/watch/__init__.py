"""What the chain did and what is wrong: the watcher of logs, alerts, and figures for dashboards."""
