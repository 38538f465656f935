"""Values of every stage: frozen, slotted dataclasses, enumerations, unions; imports only the standard library.

Everybody may use them; they do nothing.
"""
