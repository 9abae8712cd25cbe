-- Keys are UUIDv7 (RFC 9562 §5.7): they sort by the time they were made. uuidv7() is built in from
-- PostgreSQL 18; for 17 this adds a function of that name.

do $$
begin
    if to_regprocedure('pg_catalog.uuidv7()') is null then
        create function public.uuidv7() returns uuid
        language sql volatile parallel safe
        as $function$
            -- 48 bits of milliseconds over a random version 4, then the version bits from 0100 to 0111.
            select encode(
                set_bit(set_bit(
                    overlay(
                        uuid_send(gen_random_uuid())
                        placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                        from 1 for 6
                    ),
                    52, 1
                ), 53, 1),
                'hex'
            )::uuid
        $function$;
    end if;
end
$$;
