"""What computers say, on its way into a session: known secrets are taken out, output is cut where it is too long."""
