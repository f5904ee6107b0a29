-- Latency in milliseconds at quantile q of a histogram: write weirQuantile(0.99, sumMap(histogram)) over any grouping.
-- The rank is the nearest rank; the value is the geometric middle of its bucket, at most 2.2 % off. NULL without calls.
CREATE OR REPLACE FUNCTION weirQuantile AS (q, h) -> if(empty(h), NULL, arrayMap(b -> if(b = -32768, 0., 1000 * exp2((b + 0.5) / 16)),
    [mapKeys(h)[arrayFirstIndex(c -> c >= greatest(1, ceil(q * arraySum(mapValues(h)) - 1e-9)), arrayCumSum(mapValues(h)))]])[1]);

-- Whole calls from a sum of weights in 1/65536.
CREATE OR REPLACE FUNCTION weirCalls AS (weights) -> intDiv(weights + 32768, 65536);

-- Names of the kinds of evidence in a bit set.
CREATE OR REPLACE FUNCTION weirEvidence AS (bits) -> arrayStringConcat(arrayFilter((name, bit) -> bitTest(bits, bit),
    ['server_proxy', 'server_span', 'client_proxy', 'client_span'], [0, 1, 2, 3]), ',');
