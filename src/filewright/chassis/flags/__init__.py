"""What is on for whom: switched without a release, rolled out tenant by tenant, and halted by itself when it hurts."""
