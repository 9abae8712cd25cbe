drop index concurrently expenses_metadata_idx;
drop index concurrently expenses_external_id_key;
drop index concurrently expenses_kind_idx;
drop index concurrently expenses_all_category_idx;
drop index concurrently expenses_all_search_idx;
drop index concurrently expenses_all_created_at_idx;
drop index concurrently expenses_all_spent_on_idx;
