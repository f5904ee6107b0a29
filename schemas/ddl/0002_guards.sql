-- The way into a table of partial windows. Rows are inserted into in_<table>, which keeps nothing; its view hands on those whose messages
-- are above the table's mark for their day and source. So an insert can be repeated after any doubt, and counts nothing twice.
-- A mark is the last offset counted, and an absent one reads as 0: both sides of the comparison are moved up by one.
{{range .Tables}}
CREATE TABLE IF NOT EXISTS weir.in_{{.}} ENGINE = Null
AS SELECT * EXCEPT (stored, acted_on), toInt64(0) AS first_offset FROM weir.{{.}} WHERE 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS weir.guard_{{.}} TO weir.{{.}}
AS SELECT * EXCEPT (first_offset)
FROM weir.in_{{.}}
WHERE first_offset >= (
    SELECT mapFromArrays(groupArray(concat(toString(day), ' ', name)), groupArray(mark + 1))
    FROM (SELECT toYYYYMMDD(window_start) AS day, source AS name, max(last_offset) AS mark FROM weir.{{.}} GROUP BY day, name)
)[concat(toString(toYYYYMMDD(window_start)), ' ', source)];
{{end}}
