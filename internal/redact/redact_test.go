package redact_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weirmesh/weir/internal/redact"
)

func TestText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"hello alice@example.com, and bob.b+x@mail.example.co.uk!", "hello {email}, and {email}!"},
		{"to=alice%40example.com&x=1", "to={email}&x=1"},
		{"jürgen@müller.example", "{email}"},
		{"postgres://bob:hunter2@db.shop.svc:5432/x", "postgres://{credentials}@db.shop.svc:5432/x"},
		{"bob:hunter2@tcp(db:3306)/x", "{credentials}@tcp(db:3306)/x"},
		{"Authorization: Bearer abcdefgh12345678", "Authorization: {secret}"},
		{"sent bearer%20abcdefgh12345678 to it", "sent bearer%20{token} to it"},
		{"Basic dXNlcjpwYXNz", "Basic {token}"},
		{"basic authentication", "basic authentication"},
		{"a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1g b", "a {token} b"},
		{"key AKIAIOSFODNN7EXAMPLE", "key {token}"},
		{"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "{token}"},
		{"x ghp_16C7e42F292c6912E7710c838347Ae178B4a", "x {token}"},
		{"glpat-aB3-dE5gH7jkL9mN1pQ", "{token}"},
		{"xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "{token}"},
		{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "{token}"},
		{"sk-proj-aB3dE5gH7jkL9mN1pQ2r", "{token}"},
		{"db_password=hunter2&x=1", "db_password={secret}&x=1"},
		{`{"password":"my long secret","x":1}`, `{"password":"{secret}","x":1}`},
		{"X-Api-Key: 12345", "X-Api-Key: {secret}"},
		{"token%3Dabc", "token={secret}"},
		{"pay 4111 1111 1111 1111 now", "pay {card} now"},
		{"4111111111111112", "4111111111111112"}, // wrong check digit
		{"call +49 30 1234567", "call {phone}"},
		{"call 555-123-4567", "call {phone}"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- x", "{key} x"},
		{"-----BEGIN EC PRIVATE KEY-----\nMIIE", "{key}"},
		{"x -----begin rsa private key-----\nmiie\n-----end rsa private key----- y", "x {key} y"},
		{"alice%2Btag%40example.com", "{email}"},
		{"alice%2540example.com", "{email}"},
		{`alice\u0040example.com, bob＠example.com, eve&#64;example.com`, "{email}, {email}, {email}"},
		{"alice!#$*@example.com", "{email}"},
		{"alice@xn--e1afmkfd.xn--p1ai", "{email}"},
		{"https%3A%2F%2Falice%3Apw%40h%2Fx", "https://{credentials}@h/x"},
		{"Bearer%2520abcdefgh12345678", "Bearer%20{token}"},
		{"password=my%20long%26secret", "password={secret}"},
		{"AccountName=x;AccountKey=abc123;EndpointSuffix=y", "AccountName=x;AccountKey={secret};EndpointSuffix=y"},
		{"sv=2022&sig=abc%2Bd&se=1", "sv=2022&sig={secret}&se=1"},
		{"user_pass: hunter2", "user_pass: {secret}"},
		{"cart;sid=abc123", "cart;sid={secret}"},
		{"PHPSESSID=abc123", "PHPSESSID={secret}"},
		{"Authorization: Basic YTpi x", "Authorization: {secret} x"},
		{"authorization=Token abc123", "authorization={secret}"},
		{"to DE89 3704 0044 0532 0130 00 please", "to {iban} please"},
		{"FR1420041010050500013M02606", "{iban}"},
		{"DE88370400440532013000", "DE88370400440532013000"}, // wrong check digits
		{"dapi0123456789abcdef0123456789abcdef", "{token}"},
	} {
		if got := redact.Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// honest are names that telemetry of a healthy mesh has.
func honest() []string {
	return []string{
		"", "cart", "v1", "shop", "cart-7d9f8b6c5d-x2x1z", "productcatalogservice-6f8d7c9b54-abcde", "gke-prod-default-pool-1a2b3c4d-x7k2",
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301", "ip-10-0-12-255.eu-west-1.compute.internal", "10.0.0.1:8080", "[2001:db8::1]:443",
		"auth:8080", "token:50051", "session-store.shop.svc.cluster.local:6379", "eu-west-1", "PROD-EU-WEST-1-Checkout-DB2",
		"sidecar~10.0.0.1~cart-7d9f8b6c5d-x2v4k.shop~shop.svc.cluster.local", "outbound|9080||reviews.default.svc.cluster.local",
		"registry.example/shop/cart:v1.2.3@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "6dcd4ce23d88e2ee9568ba546c007c63d9131c1b",
		"1.2.3-rc.1+20240131", "2024.01.31.123456", "oteldemo.ProductCatalogService/GetProduct", "G1 Old Gen", "CodeHeap 'non-nmethods'",
		"com.acme.shop.checkout.CheckoutServiceImpl2", "HTTPServerV2Handler", "jvm.memory.used", "kube-system", "basic-auth-gateway",
		"SELECT shop.orders", "_overflow", "rabbitmq-server-0", "weir.calls@1b671a64-40d5-491e-99b0-da01ff1f3341/3", "{requests}", "By/s",
		"ingest-token-service-backend-v2", "@scope/package@1.2.3", "us-central1-docker.pkg.dev/online-boutique",
		"https://sqs.us-east-1.amazonaws.com/123456789012/MyQueue", "arn:aws:lambda:eu-west-1:123456789012:function:ProcessOrders",
		"spiffe://cluster.local/ns/default/sa/bookinfo-productpage", "OrderServiceImpl$$Lambda$123/0x0000000800", "compass=north", "bypass:8080",
		"pass:8080", "sid:3000", "design=dark", "worker@host1", "100%", "istio-ingressgateway-5d4f7d9c6b-8k2lz", "fe80::1ff:fe23:4567:890a",
	}
}

func TestHonestNamesStay(t *testing.T) {
	for _, name := range honest() {
		if got := redact.Identity(name); got != name {
			t.Errorf("Identity(%q) = %q", name, got)
		}
	}
}

func TestIdentityKeepsTwoApart(t *testing.T) {
	a, b := redact.Identity("alice@example.com"), redact.Identity("bob@example.com")
	if a == b || a != redact.Identity("alice@example.com") || !strings.HasPrefix(a, "{email}-") || strings.Contains(a, "alice") {
		t.Errorf("%q and %q", a, b)
	}
}

func TestRoute(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"/", "/"},
		{"/cart/{id}", "/cart/{id}"},
		{"/cart/:id", "/cart/:id"},
		{"/api/v1/products", "/api/v1/products"},
		{"/users/17", "/users/{id}"},
		{"/users/alice@example.com/x", "/users/{id}/x"},
		{"/users/alice%40example.com", "/users/{id}"},
		{"/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/o/{id}"},
		{"/o/deadbeef01", "/o/{id}"},
		{"/facade", "/facade"},
		{"/call/555-1234", "/call/{id}"},
		{"/call/+49301234567", "/call/{id}"},
		{"/x?token=abc", "/x"},
		{"/x#abc", "/x"},
		{"/x;jsessionid=abc/y", "/x"},
		{"https://bob:pw@shop.example/cart/17?x=1", "/cart/{id}"},
		{"https://shop.example", "/"},
		{"/reset/" + strings.Repeat("ab", 40), "/reset/{id}"},
		{"/t/aB3dE5gH7jkL9mN1pQ2r/x", "/t/{id}/x"},
		{"/k/Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50u/K1SZFPTOtr/KBHBeksoGMGw==", "/k/{id}/{id}/{id}"},
		{"/x/state=abc/y", "/x/{id}/y"},
		{"/v1/{name=projects}/books:list", "/v1/{name=projects}/books:list"},
		{"/api/v2beta1/users/17/GetFoo2", "/api/v2beta1/users/{id}/GetFoo2"},
		{"/oteldemo.ProductCatalogService/GetProduct", "/oteldemo.ProductCatalogService/GetProduct"},
		{strings.Repeat("/a", 40), strings.Repeat("/a", 16)},
	} {
		if got := redact.Route(tt.in); got != tt.want {
			t.Errorf("Route(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestRandomSecrets draws tokens of the usual lengths and alphabets: none may be kept.
func TestRandomSecrets(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	missed, n := 0, 0
	for range 4000 {
		raw := make([]byte, 18+r.IntN(31))
		for i := range raw {
			raw[i] = byte(r.Uint32())
		}
		for _, token := range []string{base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			n++
			if got := redact.Text(token); got == token {
				missed++
			}
			if got := redact.Text("password=" + token); got != "password="+redact.Secret {
				t.Fatalf("password=%s became %s", token, got)
			}
		}
	}
	if missed > n/1000 {
		t.Errorf("%d of %d random tokens were not found", missed, n)
	}
}

// FuzzText holds what all callers rely on: no panic, the same again, and what is clean stays clean.
func FuzzText(f *testing.F) {
	for _, name := range honest() {
		f.Add(name)
	}
	f.Add("password=hunter2 bob:x@y alice@example.com ://a@b/ Bearer abcdefgh12345678 4111111111111111")
	f.Fuzz(func(t *testing.T, s string) {
		once := redact.Text(s)
		if twice := redact.Text(once); len(twice) > 2*len(once)+64 {
			t.Errorf("%q grows to %q", once, twice)
		}
		redact.Route(s)
		redact.Identity(s)
		if redact.Text("x "+s+" alice@example.com") == "x "+s+" alice@example.com" {
			t.Errorf("an address after %q is not found", s)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for _, name := range []string{
		"cart", "cart-7d9f8b6c5d-x2x1z", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "postgres://bob:hunter2@db:5432", strings.Repeat("a-", 250),
		strings.Repeat("sk-", 170),
	} {
		b.Run(fmt.Sprintf("%.24s", name), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redact.Text(name)
			}
		})
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, path := range []string{"/cart/{id}", "/api/v1/products/{id}", "/cart/17"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				redact.Route(path)
			}
		})
	}
}
