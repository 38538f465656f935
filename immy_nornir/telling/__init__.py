"""Telling people and programs what happened: messages of what the record says, kept until they have arrived."""
