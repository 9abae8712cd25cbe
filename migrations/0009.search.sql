-- depends: 0008.rights

-- Text in one case and one form, the same in every database: PostgreSQL's own collation pg_c_utf8 knows the letters of
-- Unicode whatever the database's locale is. Upper case first, because σ and ς share one. What is left to replace is
-- the letter that becomes two.
create function fold_case(words text) returns text
language sql
immutable
strict
parallel safe
return replace(lower(upper(normalize(words, nfkc) collate pg_c_utf8) collate pg_c_utf8), 'ß', 'ss');

-- The three characters at each place of a text, in one case, before two line ends. A text that contains another has all
-- of the other's. Each begins with a part of the team's id, because an index of these cannot begin with a column. It
-- takes some 100 µs, which the planner must know: it is there for the index, not for a look at every row.
create function search_vector(team_id uuid, words text) returns tsvector
language sql
immutable
strict
parallel safe
cost 10000
return (
    select array_to_tsvector(array_agg(right(team_id::text, 8) || substr(fold_case(words) || e'\n\n', place, 3)))
    from generate_series(1, length(fold_case(words))) as place
);

-- What a description's search_vector has if the description contains a text: all of its parts of three characters, or,
-- if it is shorter, a part that begins with it. As a tsquery is written, quotes and backslashes are doubled.
create function search_query(team_id uuid, words text) returns tsquery
language sql
immutable
strict
parallel safe
return (
    select
        string_agg(
            ''''
            || replace(
                replace(right(team_id::text, 8) || substr(fold_case(words), place, 3), '\', '\\'), '''', ''''''
            )
            || case when length(fold_case(words)) < 3 then ''':*' else '''' end,
            ' & '
        )::tsquery
    from generate_series(1, greatest(length(fold_case(words)) - 2, 1)) as place
);
