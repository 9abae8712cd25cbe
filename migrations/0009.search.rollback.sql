drop function search_query(uuid, text);
drop function search_vector(uuid, text);
drop function fold_case(text);
