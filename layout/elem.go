package layout

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
)

// ElemOf describes T for a Spec: its size, its alignment and the fingerprint of
// its fields. The error wraps [ErrType] and names the field that cannot be shared.
//
// The fingerprint is FNV-1a (64 bit) of the type written out: a scalar by its
// kind and width (u8 i16 f64 c128 bool, …), an array as [n]type, a struct as
// {name@offset:type;…}size. Names of types and packages do not count, so a
// struct may move between packages; names, order and offsets of fields do.
func ElemOf[T any]() (Elem, error) {
	return ElemOfType(reflect.TypeFor[T]())
}

// ElemOfType is ElemOf for a type known at run time.
func ElemOfType(t reflect.Type) (Elem, error) {
	var b strings.Builder
	if err := describe(&b, t, t.String(), 0); err != nil {
		return Elem{}, err
	}
	if t.Size() == 0 {
		return Elem{}, fmt.Errorf("%w: %v has no bytes", ErrType, t)
	}
	if t.Size() > MaxElem {
		return Elem{}, fmt.Errorf("%w: %v has %d bytes, at most %d fit in a slot", ErrType, t, t.Size(), MaxElem)
	}
	return Elem{Size: uint32(t.Size()), Align: uint32(t.Align()), Hash: fingerprint(b.String())}, nil
}

// BytesElem describes n opaque bytes, exactly as ElemOf[[n]byte] does.
func BytesElem(n int) (Elem, error) {
	if n < 1 || n > MaxElem {
		return Elem{}, fmt.Errorf("%w: element size must be 1 to %d bytes, not %d", ErrSpec, MaxElem, n)
	}
	return Elem{Size: uint32(n), Align: 1, Hash: fingerprint("[" + strconv.Itoa(n) + "]u8")}, nil
}

func fingerprint(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // a hash.Hash never returns an error
	return h.Sum64()
}

// maxDepth stops a type whose description would be unreasonably long; Go has no
// recursive types without pointers, so depth itself is finite.
const maxDepth = 64

func describe(b *strings.Builder, t reflect.Type, path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: %s is nested more than %d deep", ErrType, path, maxDepth)
	}
	if p := t.PkgPath(); p == "sync" || p == "internal/sync" {
		return fmt.Errorf("%w: %s is a %v, which means something in one process only; package futex has locks for shared memory", ErrType, path, t)
	}
	switch k := t.Kind(); k {
	case reflect.Bool:
		b.WriteString("bool")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(b, "i%d", t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		fmt.Fprintf(b, "u%d", t.Bits())
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(b, "f%d", t.Bits())
	case reflect.Complex64, reflect.Complex128:
		fmt.Fprintf(b, "c%d", t.Bits())
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		return describe(b, t.Elem(), path+"[0]", depth+1)
	case reflect.Struct:
		b.WriteByte('{')
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(b, "%s@%d:", f.Name, f.Offset)
			if err := describe(b, f.Type, path+"."+f.Name, depth+1); err != nil {
				return err
			}
			b.WriteByte(';')
		}
		fmt.Fprintf(b, "}%d", t.Size())
	default:
		return fmt.Errorf("%w: %s is a %v, which means something in one process only; use fixed-size numbers and arrays", ErrType, path, k)
	}
	return nil
}
