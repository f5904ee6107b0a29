package spec

// String returns the endpoint as ledgers and logs name it: its method and its template, "GET /orders/{id}".
func (e Endpoint) String() string { return e.Method + " " + e.Path }
