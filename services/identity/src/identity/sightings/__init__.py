"""What channels saw of people: identifiers, names and profile values, touchpoint by touchpoint."""
