package shm

import (
	"fmt"
	"reflect"
	"slices"

	"ringway/futex"
)

// lockTypes work by their address, so a copy of one is another one.
var lockTypes = []reflect.Type{
	reflect.TypeFor[futex.Mutex](), reflect.TypeFor[futex.Semaphore](), reflect.TypeFor[futex.Cond](), reflect.TypeFor[futex.Event](),
}

// holdsLock says where in a type there is a lock. Types without pointers, and no others
// become variables, are not recursive.
func holdsLock(t reflect.Type, field string) error {
	if slices.Contains(lockTypes, t) {
		if field == "" {
			return fmt.Errorf("%w: it is a %v, and a variable is read and updated as a copy, where a lock guards nothing; Update has a lock of its own, and CreateShared is for structs with locks", ErrType, t)
		}
		return fmt.Errorf("%w: its field %s is a %v, and a variable is read and updated as a copy, where a lock guards nothing; leave it out, Update has a lock of its own, or use CreateShared", ErrType, field, t)
	}
	switch t.Kind() {
	case reflect.Array:
		return holdsLock(t.Elem(), field+"[0]")
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Name
			if field != "" {
				name = field + "." + name
			}
			if err := holdsLock(f.Type, name); err != nil {
				return err
			}
		}
	}
	return nil
}
