drop index concurrently expenses_search_idx;
