package layout

// Shared is the kind of a segment that holds one struct in place of a ring, for locks and atomics of
// the user's own.
const Shared Kind = 17

// SharedSpec returns the spec of a shared struct that elem describes.
func SharedSpec(elem Elem) Spec { return Spec{Kind: Shared, Payload: Fixed, Cap: 1, Elem: elem} }

// Noun says what a segment of this kind holds, for people: "a ring", "a variable", "a shared struct".
func (k Kind) Noun() string {
	switch k {
	case Var:
		return "a variable"
	case Shared:
		return "a shared struct"
	}
	return "a ring"
}
