"""The databases that can be measured, all behind the same words."""
