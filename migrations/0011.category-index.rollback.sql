drop index concurrently expenses_category_idx;
