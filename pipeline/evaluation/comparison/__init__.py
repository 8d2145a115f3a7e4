"""All systems side by side: 95% intervals by the bootstrap over users (and training runs), paired differences, tables and warnings."""
