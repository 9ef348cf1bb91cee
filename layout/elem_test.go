package layout

import (
	"errors"
	"image"
	"reflect"
	"strings"
	"structs"
	"sync"
	"testing"
	"unsafe"
)

type (
	tick struct {
		Seq   uint64
		Price float64
		Size  uint32
		Side  uint8
		_     [3]uint8
	}
	tickRenamed struct {
		Seq   uint64
		Price float64
		Count uint32
		Side  uint8
		_     [3]uint8
	}
	tickSwapped struct {
		Price float64
		Seq   uint64
		Size  uint32
		Side  uint8
		_     [3]uint8
	}
	tickHole struct { // the same offsets, but the end is the compiler's padding
		Seq   uint64
		Price float64
		Size  uint32
		Side  uint8
	}
	point  struct{ X, Y int } // as image.Point
	number int64
)

// The strings hashed here were hashed by another program: docs/FORMAT.md prints them.
func TestElemHashes(t *testing.T) {
	for _, c := range []struct {
		of          any
		text        string
		size, align uint32
		hash        uint64
	}{
		{uint8(0), "u8", 1, 1, 0x08c48207b56753d8},
		{false, "bool", 1, 1, 0xcd2fd49bc6b014bd},
		{int64(0), "i64", 8, 8, 0x2ae1af192b331746},
		{0, "i64", 8, 8, 0x2ae1af192b331746},
		{number(0), "i64", 8, 8, 0x2ae1af192b331746},
		{uint16(0), "u16", 2, 2, 0x4d24d3193e7ef3bf},
		{float32(0), "f32", 4, 4, 0xdd635018ff703544},
		{0.0, "f64", 8, 8, 0xdd744c18ff7ea1ab},
		{complex64(0), "c64", 8, 4, 0xf689c5190d727d28},
		{0i, "c128", 16, 8, 0x55955291d457c2eb},
		{[5]byte{}, "[5]u8", 5, 1, 0x49157d4c013aef35},
		{[2][3]int16{}, "[2][3]i16", 12, 2, 0x3f19a0c97f8526d8},
		{image.Point{}, "{X@0:i64;Y@8:i64;}16", 16, 8, 0x13d5cb6c4474a03d},
		{image.Rectangle{}, "{Min@0:{X@0:i64;Y@8:i64;}16;Max@16:{X@0:i64;Y@8:i64;}16;}32", 32, 8, 0x9168bf6f57e8659f},
		{tick{}, "{Seq@0:u64;Price@8:f64;Size@16:u32;Side@20:u8;_@21:[3]u8;}24", 24, 8, 0x7701ff9bee7b7467},
		{struct {
			_ structs.HostLayout
			N uint32
		}{}, "{_@0:{_@0:{}0;}0;N@0:u32;}4", 4, 4, 0x7c2d48a19fa99bf8},
	} {
		typ := reflect.TypeOf(c.of)
		got, err := ElemOfType(typ)
		if err != nil {
			t.Errorf("%v: %v", typ, err)
			continue
		}
		if want := (Elem{Size: c.size, Align: c.align, Hash: c.hash}); got != want {
			t.Errorf("%v: %+v, want %+v, the hash of %q", typ, got, want, c.text)
		}
	}
}

func elemOf[T any](t *testing.T) Elem {
	t.Helper()
	e, err := ElemOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestElemIdentity(t *testing.T) {
	if elemOf[point](t) != elemOf[image.Point](t) {
		t.Error("a struct that moved to another package is another type")
	}
	if elemOf[[2]point](t) != elemOf[[2]image.Point](t) {
		t.Error("an array of a struct that moved is another type")
	}
	if elemOf[int64](t) != elemOf[number](t) {
		t.Error("a named number is another type than its kind")
	}
	hashes := map[uint64]string{}
	for name, e := range map[string]Elem{
		"tick": elemOf[tick](t), "field renamed": elemOf[tickRenamed](t), "fields swapped": elemOf[tickSwapped](t),
		"padding not written out": elemOf[tickHole](t), "bytes": elemOf[[24]byte](t), "signed bytes": elemOf[[24]int8](t),
		"words": elemOf[[3]uint64](t), "signed words": elemOf[[3]int64](t), "nested": elemOf[[3][8]byte](t), "otherwise": elemOf[[8][3]byte](t),
		"floats": elemOf[[3]float64](t),
	} {
		if e.Size != 24 {
			t.Errorf("%s has %d bytes, the comparison means little", name, e.Size)
		}
		if other, ok := hashes[e.Hash]; ok {
			t.Errorf("%q and %q are the same type", name, other)
		}
		hashes[e.Hash] = name
	}
}

func TestBytesElem(t *testing.T) {
	for _, c := range []struct {
		n    int
		want Elem
	}{{1, elemOf[[1]byte](t)}, {5, elemOf[[5]byte](t)}, {4096, elemOf[[4096]byte](t)}, {MaxElem, elemOf[[MaxElem]byte](t)}} {
		if got, err := BytesElem(c.n); err != nil || got != c.want {
			t.Errorf("BytesElem(%d) = %+v, %v, want %+v", c.n, got, err, c.want)
		}
	}
	for _, n := range []int{0, -1, MaxElem + 1} {
		if e, err := BytesElem(n); !errors.Is(err, ErrSpec) || e != (Elem{}) {
			t.Errorf("BytesElem(%d) = %+v, %v, want ErrSpec", n, e, err)
		}
	}
}

func TestElemRefused(t *testing.T) {
	type inner struct {
		N    int
		Name string
	}
	type outer struct {
		A     int
		Cells [4]inner
	}
	deep := reflect.TypeFor[byte]()
	for range maxDepth + 1 {
		deep = reflect.ArrayOf(1, deep)
	}
	for _, c := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[*int](), "*int is a ptr, which means something in one process only; use fixed-size numbers and arrays"},
		{reflect.TypeFor[string](), "string is a string"},
		{reflect.TypeFor[[]byte](), "[]uint8 is a slice"},
		{reflect.TypeFor[map[int]int](), "map[int]int is a map"},
		{reflect.TypeFor[chan int](), "chan int is a chan"},
		{reflect.TypeFor[func()](), "func() is a func"},
		{reflect.TypeFor[error](), "error is a interface"},
		{reflect.TypeFor[uintptr](), "uintptr is a uintptr"},
		{reflect.TypeFor[unsafe.Pointer](), "unsafe.Pointer is a unsafe.Pointer"},
		{reflect.TypeFor[outer](), "layout.outer.Cells[0].Name is a string"},
		{reflect.TypeFor[[2][3]*byte](), "[2][3]*uint8[0][0] is a ptr"},
		{reflect.TypeFor[struct{ _ [0]func() }](), "struct { _ [0]func() }._[0] is a func"},
		{reflect.TypeFor[sync.Mutex](), "sync.Mutex is a sync.Mutex, which means something in one process only; package futex has locks"},
		{reflect.TypeFor[struct{ In [2]sync.WaitGroup }](), ".In[0] is a sync.WaitGroup"},
		{reflect.TypeFor[struct{}](), "struct {} has no bytes"},
		{reflect.TypeFor[[0]int](), "[0]int has no bytes"},
		{reflect.TypeFor[[MaxElem + 1]byte](), "[1073741825]uint8 has 1073741825 bytes, at most 1073741824 fit in a slot"},
		{deep, "is nested more than 64 deep"},
	} {
		e, err := ElemOfType(c.typ)
		if !errors.Is(err, ErrType) || e != (Elem{}) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %+v, %v, want ErrType and %q", c.typ, e, err, c.want)
		}
	}
}
