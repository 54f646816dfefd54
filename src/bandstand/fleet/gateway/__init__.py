"""The gateway: Envoy, configured by files (filesystem xDS) that the launcher replaces by rename."""
