// Verifies workspace tokens in a Go service, with the standard library alone. Copy this file and go.mod;
// then
//
//	ISSUER=https://ntd.example AUDIENCE=https://ntd.example go run .
//
// What it does NOT promise: that a revoked token is refused at once. A Token Status List is relied on for
// its ttl (60 s), so that a token is accepted for up to 61 s after its revocation was answered, and for
// longer where a cache stands between you and ntd. For "refused from then on", put `ntd edge` or nginx
// with forward-auth in front of this service, and verify nothing here.
//
// Whatever cannot be known is refused: no keys or no list means 503, never 200.
package main

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	issuer   = cmp.Or(os.Getenv("ISSUER"), "http://127.0.0.1:8480")
	audience = cmp.Or(os.Getenv("AUDIENCE"), issuer)
	// In seconds; less than a list's own ttl has it fetched more often.
	listMaxAge = seconds(cmp.Or(os.Getenv("LIST_MAX_AGE"), "60"))
	client     = http.Client{Timeout: 5 * time.Second}
)

// Kept for as long as ntd says that keys may be: a revoked key is gone a minute later.
const (
	keysMaxAge  = 60 * time.Second
	longestList = 1 << 20
)

// errUnknown means 503, nobody can say whether a token is good; any other error means 401.
var errUnknown = errors.New("cannot know")

type claims struct {
	Iss, Aud, Sub, Jti, Scope string
	Exp, Iat, TTL             int64
	Status                    struct {
		StatusList struct {
			URI string
			Idx int
		} `json:"status_list"`
	}
	StatusList struct {
		Bits int
		Lst  string
	} `json:"status_list"`
}

type jwk struct{ Kid, Alg, Crv, X, Y, N, E string }

// kept is something that was fetched, until its time is over.
type kept[T any] struct {
	value T
	until time.Time
}

// store keeps things by their URI. Many who wait for one fetch it once.
type store[T any] struct {
	turn  sync.Mutex
	items map[string]kept[T]
	fetch func(uri string) (kept[T], error)
}

func (s *store[T]) get(uri string) (T, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	item, found := s.items[uri]
	if found && time.Now().Before(item.until) {
		return item.value, nil
	}
	item, err := s.fetch(uri)
	if err != nil {
		return item.value, fmt.Errorf("%w: %s: %w", errUnknown, uri, err)
	}
	s.items[uri] = item
	return item.value, nil
}

var keys = store[map[string]jwk]{items: map[string]kept[map[string]jwk]{}, fetch: fetchKeys}
var lists = store[[]byte]{items: map[string]kept[[]byte]{}, fetch: fetchList}

func main() {
	http.Handle("/", requireToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Context().Value(tokenKey{}).(*claims)
		w.Header().Set("content-type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"workspace": token.Sub, "scope": token.Scope})
	})))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "8000"), nil))
}

type tokenKey struct{}

// requireToken lets a good token pass, whose claims are then in the request's context.
func requireToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("authorization"), " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "bearer") || token == "" {
			w.Header().Set("www-authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		good, err := verify(token)
		switch {
		case errors.Is(err, errUnknown):
			log.Print(err)
			w.Header().Set("retry-after", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		case err != nil:
			w.Header().Set("www-authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, good)))
		}
	})
}

// verify answers the claims of a token that is good, as far as the lists say.
func verify(token string) (*claims, error) {
	good, err := checked(strings.TrimPrefix(token, "wst_"), "at+jwt")
	if err != nil {
		return nil, err
	}
	place := good.Status.StatusList
	if good.Aud != audience || !strings.HasPrefix(place.URI, issuer+"/v1/status-lists/") {
		return nil, errors.New("for somebody else")
	}
	bits, err := lists.get(place.URI)
	if err != nil {
		return nil, err
	}
	if place.Idx < 0 || place.Idx >= len(bits)*8 || bits[place.Idx/8]>>(place.Idx%8)&1 == 1 {
		return nil, errors.New("revoked")
	}
	return good, nil
}

// checked answers the claims of something that ntd signed, of exactly this type, and that holds now.
func checked(text, typ string) (*claims, error) {
	parts := strings.Split(text, ".")
	if len(text) > 2*longestList || len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	var header struct {
		Alg, Typ, Kid string
		Crit          []string
	}
	var said claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err := errors.Join(err, decode(parts[0], &header)); err != nil {
		return nil, err
	}
	if header.Typ != typ || header.Crit != nil {
		return nil, errors.New("another type")
	}
	known, err := keys.get(issuer + "/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	key, found := known[header.Kid]
	if !found || header.Alg != key.Alg || !verifies(key, parts[0]+"."+parts[1], signature) {
		return nil, errors.New("not signed by a key of ours")
	}
	if err := decode(parts[1], &said); err != nil {
		return nil, err
	}
	if said.Iss != issuer || time.Now().Unix() >= said.Exp {
		return nil, errors.New("of another issuer, or over")
	}
	return &said, nil
}

// verifies says whether a key has signed this, with the one algorithm that it is for.
func verifies(key jwk, message string, signature []byte) bool {
	digest := sha256.Sum256([]byte(message))
	switch {
	case key.Alg == "EdDSA" && key.Crv == "Ed25519" && len(part(key.X)) == ed25519.PublicKeySize:
		return ed25519.Verify(part(key.X), []byte(message), signature)
	case key.Alg == "ES256" && key.Crv == "P-256" && len(signature) == 64:
		point := append(append([]byte{4}, part(key.X)...), part(key.Y)...)
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return err == nil && ecdsa.Verify(public, digest[:], r, s)
	case key.Alg == "RS256" && len(part(key.E)) <= 4:
		n, e := new(big.Int).SetBytes(part(key.N)), new(big.Int).SetBytes(part(key.E))
		public := rsa.PublicKey{N: n, E: int(e.Int64())}
		return rsa.VerifyPKCS1v15(&public, crypto.SHA256, digest[:], signature) == nil
	}
	return false
}

// part is a part of a key; nothing where it is not base64url.
func part(text string) []byte {
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return bytes
}

func fetchKeys(uri string) (kept[map[string]jwk], error) {
	asked, byKid := time.Now(), map[string]jwk{}
	text, err := fetch(uri, "application/json")
	var set struct{ Keys []jwk }
	if err == nil {
		err = json.Unmarshal(text, &set)
	}
	for _, key := range set.Keys {
		byKid[key.Kid] = key
	}
	return kept[map[string]jwk]{byKid, asked.Add(keysMaxAge)}, err
}

func fetchList(uri string) (kept[[]byte], error) {
	asked, none := time.Now(), kept[[]byte]{}
	text, err := fetch(uri, "application/statuslist+jwt")
	if err != nil {
		return none, err
	}
	said, err := checked(string(text), "statuslist+jwt")
	if err != nil {
		return none, err
	}
	if said.Sub != uri || said.StatusList.Bits != 1 {
		return none, errors.New("another list")
	}
	packed, err := base64.RawURLEncoding.DecodeString(said.StatusList.Lst)
	if err != nil {
		return none, err
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return none, err
	}
	bits, err := io.ReadAll(io.LimitReader(reader, longestList))
	until := asked.Add(listMaxAge)
	if ttl := time.Duration(said.TTL) * time.Second; ttl > 0 && ttl < listMaxAge {
		until = asked.Add(ttl)
	}
	if end := time.Unix(said.Exp, 0); end.Before(until) {
		until = end
	}
	return kept[[]byte]{bits, until}, err
}

func fetch(uri, accept string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("accept", accept)
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	return io.ReadAll(io.LimitReader(answer.Body, longestList))
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func seconds(text string) time.Duration {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		log.Fatalf("LIST_MAX_AGE: %v", err)
	}
	return time.Duration(number * float64(time.Second))
}
