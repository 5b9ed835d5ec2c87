"""What we change because of what we saw: improvement actions (acciones de mejora)."""
