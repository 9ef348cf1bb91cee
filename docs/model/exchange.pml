/* The exchange ring of ring/mpmc.go with recovery as in shm/recover.go, at toy size:
   N slots, NP producers that send MSGS messages each, NC consumers that take TAKES
   times each, CRASHES deaths at any step. Slots are named by positions and versions as in
   the code: 2p free for p, 2p+1 holds message p. A dead owner's seat is settled by a
   recoverer of its own, and may be sat on and left dead again; while it is not, the others
   go on. Sequentially consistent.

   Whole searches, with -DCOLLAPSE, on one processor; docs/model/run has the flags:
   1P 1C, 1 death: 0.1 million states, 1 s; 2 deaths: 0.8 million, 4 s
   2P 1C or 1P 2C, 1 or 2 slots, 1 death: 1.7 to 2.0 million, 6 to 16 s
   1P 2C, 2 deaths: 7.2 million, 22 s; two calls each, 1 death: 12 million, 60 s
   2P 1C, 2 deaths: 35 million, 5 min; two messages each, 1 death: 38 million, 5 min
   Too large to finish in 15 min: 2P 2C with a death.

   Mutants, each of which must fail:
   M_SENDHDR no header on send     M_TAKEHDR no header on take    M_HELD no HELD after a failed swap
   M_SWAP    the verdict swapped   M_SLOT    no evidence from the slot
   M_LATE    the record behind the swap                           M_HINT    the hint ahead */
#ifndef N
#define N 1
#endif
#ifndef NP
#define NP 1
#endif
#ifndef NC
#define NC 1
#endif
#ifndef MSGS
#define MSGS 2
#endif
#ifndef TAKES
#define TAKES 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef STEP
#define STEP 1
#endif
#define SEATS (NP+NC)
#define B (N+SEATS)
#define TOTAL (NP*MSGS)

mtype = { HELD, UNACKED, SENDING, TAKING };
typedef Slot { byte ver; byte blk };
typedef Seat { mtype kind = HELD; byte give; byte get; byte ver };
Slot W[N];
Seat seat[SEATS];
byte hdr[B], body[B];
byte T, H;                      /* hints */

/* What is true, for assertions only. */
byte E, D;                      /* messages sent, taken */
byte said[TOTAL+1];             /* the message of each position */
byte owner[B];                  /* 0: a slot, else seat + 1 */
byte came[TOTAL+1];             /* deliveries by position, without redeliveries */
bool dead[SEATS];
byte crashes, live;             /* live: producers and consumers that still act */

#define MAYDIE(c) if :: atomic { crashes < CRASHES -> crashes++; dead[c] = true }; goto died :: true fi

/* the swap of a producer or a consumer: c gives g, gets x */
inline moved(c, g, x) { assert(owner[g] == c+1 && owner[x] == 0); owner[g] = 0; owner[x] = c+1 }

inline hint(word, lagged, p) {
	if
#ifdef M_HINT
	:: p - lagged >= STEP -> lagged = p; if :: word <= p -> word = p + 1 :: else fi; assert(T <= E && H <= D)
#else
	:: p - lagged >= STEP -> lagged = p; if :: word < p -> word = p :: else fi; assert(T <= E && H <= D)
#endif
	:: else
	fi
}

proctype Producer(byte c) {
	byte sent, pos, lagged, v, x, b, i;
	bool ok;
	atomic { pos = T; lagged = pos }
	do
	:: sent == MSGS -> break
	:: sent < MSGS ->
		b = seat[c].give;
		assert(owner[b] == c+1);
		body[b] = c*MSGS + sent + 1;
again:		atomic { i = pos % N; v = W[i].ver; x = W[i].blk;
			if :: v < 2*pos -> assert(E - D == N) :: else fi }	/* FULL is the truth */
		if
		:: v == 2*pos ->
			MAYDIE(c);
#ifndef M_SENDHDR
			hdr[b] = 2*pos + 1; MAYDIE(c);
#endif
			seat[c].ver = 2*pos; MAYDIE(c);
#ifndef M_LATE
			atomic { seat[c].kind = SENDING; seat[c].give = b; seat[c].get = x }
			MAYDIE(c);
#endif
			atomic {
				ok = W[i].ver == v && W[i].blk == x;
				if
				:: ok -> assert(pos == E); moved(c, b, x); W[i].ver = v+1; W[i].blk = b; said[E] = body[b]; E++
				:: else
				fi }
			MAYDIE(c);
#ifdef M_LATE
			atomic { seat[c].kind = SENDING; seat[c].give = b; seat[c].get = x }
			MAYDIE(c);
#endif
			if
			:: ok ->
				atomic { seat[c].kind = HELD; seat[c].give = x; seat[c].get = 0 }
				MAYDIE(c);
				pos++; sent++;
				atomic { hint(T, lagged, pos) }
			:: else ->
#ifndef M_HELD
				atomic { seat[c].kind = HELD; seat[c].give = b; seat[c].get = 0 }
#endif
				goto again
			fi
		:: v > 2*pos ->			/* pos is filled: walk on, at most to what the slot proves */
			if
			:: v % 2 == 1 -> pos = v/2 + 1
			:: v % 2 == 0 && v/2 + 1 > pos + N -> pos = v/2 + 1 - N
			:: else -> pos++
			fi;
			goto again
		:: v < 2*pos -> if :: goto again :: break fi	/* full: try again, or give up */
		fi
	od;
died:	live--
}

proctype Consumer(byte c) {
	byte tries, pos, lagged, v, x, e, i, at;
	bool ok;
	atomic { pos = H; lagged = pos }
	do
	:: tries == TAKES -> break
	:: tries < TAKES ->
		tries++;
		e = seat[c].give;
		assert(owner[e] == c+1);
again:		atomic { i = pos % N; v = W[i].ver; x = W[i].blk;
			if :: v == 2*pos -> assert(E == D) :: else fi }		/* EMPTY is the truth */
		if
		:: v == 2*pos + 1 ->
			MAYDIE(c);
#ifndef M_TAKEHDR
			hdr[e] = 2*(pos+N); MAYDIE(c);
#endif
			seat[c].ver = v; MAYDIE(c);
			atomic { seat[c].kind = TAKING; seat[c].give = e; seat[c].get = x }
			MAYDIE(c);
			atomic {
				ok = W[i].ver == v && W[i].blk == x;
				if
				:: ok -> assert(pos == D && body[x] == said[D]); moved(c, e, x); W[i].ver = 2*(pos+N); W[i].blk = e; D++
				:: else
				fi }
			MAYDIE(c);
			if
			:: ok ->
				atomic { seat[c].kind = UNACKED; seat[c].give = x; seat[c].get = 0 }
				MAYDIE(c);
				at = pos; pos++;
				atomic { hint(H, lagged, pos) }
				MAYDIE(c);
				atomic { assert(body[x] == said[at]); came[at]++; assert(came[at] == 1); seat[c].kind = HELD }
			:: else ->
#ifndef M_HELD
				atomic { seat[c].kind = HELD; seat[c].give = e; seat[c].get = 0 }
#endif
				goto again
			fi
		:: v > 2*pos + 1 ->
			if :: v/2 - N + 1 > pos + 1 && v/2 >= N -> pos = v/2 - N + 1 :: else -> pos++ fi;
			goto again
		:: v == 2*pos -> skip					/* empty */
		:: v < 2*pos -> assert(false)
		fi
	od;
died:	live--
}

#define AFTER (seat[c].kind == SENDING -> seat[c].ver + 1 : seat[c].ver - 1 + 2*N)

/* Recovery of seat c: judge, then settle. It may be repeated, so it may die as well. */
proctype Recoverer(byte c) {
	byte g, x, v, a, q, i, y, slotv, slotb, p;
	bool known, won, again, alone;
wait:	dead[c];
judge:	atomic { alone = live == 0; known = false; won = false; g = seat[c].give; x = seat[c].get; v = seat[c].ver; a = AFTER; i = (v/2) % N }
	if
	:: seat[c].kind == HELD || seat[c].kind == UNACKED -> known = true
	:: else ->
		atomic { slotv = W[i].ver; slotb = W[i].blk }
		if
#ifndef M_SLOT
		:: slotv == v -> known = true
		:: slotv == a -> known = true; won = (slotb == g)
		:: slotv != v && slotv != a ->
#else
		:: true ->
#endif
			if
			:: hdr[g] != a -> known = true; won = true
			:: else ->
				if
				:: hdr[x] != v -> known = true
				:: else ->
					q = 0;
					do
					:: known || q == SEATS -> break
					:: else ->
						atomic { if
						:: q != c && (seat[q].kind == HELD || seat[q].kind == UNACKED) && seat[q].give == x -> known = true
						:: q != c && (seat[q].kind == HELD || seat[q].kind == UNACKED) && seat[q].give == g -> known = true; won = true
						:: q != c && dead[q] && (seat[q].kind == SENDING || seat[q].kind == TAKING) && seat[q].get == g && seat[q].ver == a -> known = true; won = true
						:: else
						fi; q++ }
					od
				fi
			fi
		fi
	fi;
	if
	:: !known -> assert(!alone || CRASHES > 1); goto judge	/* leave the seat, ask again later */
	:: else
	fi;
#ifdef M_SWAP
	if :: seat[c].kind == SENDING || seat[c].kind == TAKING -> won = !won :: else fi;
#endif
	y = (won -> x : g);
	assert(owner[y] == c+1);		/* recovery decides right */
	if
	:: !again -> again = true; goto judge	/* died before it wrote: the next one decides alike */
	:: true
	fi;
	atomic {
		if
		:: seat[c].kind == UNACKED || (seat[c].kind == TAKING && won) ->
			p = 0;			/* delivered again, flagged: its position was not delivered before */
			do :: p < D && said[p] != body[y] -> p++ :: else -> break od;
			assert(p < D && came[p] == 0); came[p]++
		:: else
		fi;
		seat[c].kind = HELD; seat[c].give = y; seat[c].get = 0; dead[c] = false }
	/* the seat has a new owner, who may act at once */
	if
	:: c < NP -> skip
	:: c >= NP -> live++; run Consumer(c)
	fi;
	atomic { g = 0; x = 0; v = 0; a = 0; q = 0; i = 0; y = 0; slotv = 0; slotb = 0; p = 0; known = false; won = false; again = false; alone = false }
	goto wait			/* the new owner may die as well */
}

init {
	byte i, n;
	atomic {
		for (i : 0 .. N-1) { W[i].ver = 2*i; W[i].blk = i; hdr[i] = 2*i }
		for (i : 0 .. SEATS-1) { seat[i].give = N+i; owner[N+i] = i+1; run Recoverer(i) }
		for (i : 0 .. NP-1) { run Producer(i); live++ }
		for (i : NP .. SEATS-1) { run Consumer(i); live++ }
	}
	timeout;				/* nothing moves: everything must add up */
	assert(E - D <= N && D <= E);
	for (i : 0 .. SEATS-1) { assert(!dead[i] && seat[i].kind == HELD && owner[seat[i].give] == i+1) }
	for (i : 0 .. N-1) { assert(owner[W[i].blk] == 0) }
	for (i : 0 .. TOTAL-1) { assert(came[i] == (i < D -> 1 : 0)) }
	n = D;
	do
	:: n < E -> assert(W[n % N].ver == 2*n + 1 && body[W[n % N].blk] == said[n]); n++
	:: else -> break
	od
}
