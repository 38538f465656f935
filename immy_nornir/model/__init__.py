"""Values of every stage: frozen, slotted dataclasses, enumerations, unions; imports only the standard library."""
