package ring

import "testing"

func TestExchangeMsgCalls(t *testing.T) {
	const most = 40
	onExchangeBeds(t, func(t *testing.T, b bed) {
		for _, slots := range []int{1, 2, 4, 64} {
			for _, start := range exchangeStarts(exchangeMsgSpec(t, slots, most)) {
				s := exchangeSegment(t, b, exchangeMsgSpec(t, slots, most), start)
				p, c := mustMsgProducer(t, s, nil), mustMsgConsumer(t, s, nil)
				if p.MaxLen() != most {
					t.Fatalf("MaxLen = %d, want %d", p.MaxLen(), most)
				}
				exchangeMsgs(t, p, c, slots, most)
			}
		}
	})
}

func exchangeMsgs(t *testing.T, p *MsgProducer, c *MsgConsumer, slots, most int) {
	in, out := uint64(0), uint64(0)
	for in < uint64(60+4*slots) {
		for range slots {
			m := content(in, int(in)%(most+1)) // an empty message too
			if in%3 == 0 {
				b, err := p.Reserve(most)
				wantErr(t, "Reserve", err, nil)
				copy(b, m)
				wantErr(t, "Commit", p.Commit(len(m)), nil)
			} else {
				wantErr(t, "TryPush", p.TryPush(m), nil)
			}
			in++
		}
		wantErr(t, "TryPush to a full ring", p.TryPush(nil), ErrFull)
		b, err := p.Reserve(3)
		wantErr(t, "Reserve on a full ring", err, nil)
		copy(b, "abc")
		wantErr(t, "Commit to a full ring", p.Commit(3), ErrFull)
		if string(b) != "abc" {
			t.Fatal("ErrFull took the reservation's content")
		}
		wantPanic(t, "a second Reserve", func() { p.Reserve(1) })
		p.Abort()
		wantIs(t, "TryPush of too much", p.TryPush(make([]byte, most+1)), ErrTooLarge)
		wantIs(t, "Reserve of too much", second(p.Reserve(most+1)), ErrTooLarge)
		var dst []byte
		for range slots {
			want := string(content(out, int(out)%(most+1)))
			var m []byte
			switch out % 4 {
			case 0:
				dst, err = c.TryPop(dst[:0])
				m = dst
			case 1:
				dst, err = c.Pop(t.Context(), dst[:0])
				m = dst
			case 2:
				if m, err = c.Peek(); err == nil {
					m = append([]byte(nil), m...)
					c.Release()
				}
			case 3:
				for b, bad := range c.All(t.Context()) {
					m, err = append([]byte(nil), b...), bad
					break
				}
			}
			if err != nil || string(m) != want || c.Redelivered() {
				t.Fatalf("message %d: got %x, %v, redelivered %v, want %x", out, m, err, c.Redelivered(), want)
			}
			out++
		}
		wantErr(t, "TryPop of an empty ring", second(c.TryPop(nil)), ErrEmpty)
		wantErr(t, "Peek of an empty ring", second(c.Peek()), ErrEmpty)
	}
}

// Raw ends see a packed ring element by element.
func TestExchangeRawEnds(t *testing.T) {
	onExchangeBeds(t, func(t *testing.T, b bed) {
		s := exchangeSegment(t, b, exchangeSpec[pair](t, 4, 8), 0)
		p := mustProducer[pair](t, s, nil)
		raw, err := NewRawConsumer(s, nil)
		wantErr(t, "NewRawConsumer", err, nil)
		defer raw.Close()
		back, err := NewRawProducer(s, nil)
		wantErr(t, "NewRawProducer", err, nil)
		defer back.Close()
		c := mustConsumer[pair](t, s, nil)
		if n, err := p.TryPushN([]pair{pairOf(0), pairOf(1), pairOf(2)}); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		for n := range uint64(3) {
			m, err := raw.TryPop(nil)
			if err != nil || fromBytes[pair](m) != pairOf(n) {
				t.Fatalf("element %d: %x, %v", n, m, err)
			}
			wantErr(t, "TryPush", back.TryPush(m), nil)
			if v, err := c.TryPop(); v != pairOf(n) || err != nil {
				t.Fatalf("element %d: %x, %v", n, v, err)
			}
		}
		wantErr(t, "TryPop", second(raw.TryPop(nil)), ErrEmpty)
		wantIs(t, "half an element", back.TryPush(make([]byte, 8)), ErrTooLarge)
	})
}
