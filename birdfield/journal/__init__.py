"""Journal: the database of visits and events, its media, queries and exports."""
