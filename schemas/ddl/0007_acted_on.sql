-- A window is acted on where Weir refused calls in it, whoever wrote the row. The views of 0005 again, with this column made otherwise.
{{amend "0005_views.sql" "toUInt8(max(t.acted_on))" "toUInt8(max(t.acted_on) > 0 OR sum(t.rejected_weir) > 0)"}}
