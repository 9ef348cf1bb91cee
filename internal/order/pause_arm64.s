#include "textflag.h"

// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	ISB $15
	RET

// func PrefetchWrite(p *byte)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-8
	MOVD p+0(FP), R0
	PRFM (R0), PSTL1KEEP
	RET

// func PrefetchEach(words *uint64, mask uint64, base *byte, stride uint64)
TEXT ·PrefetchEach(SB), NOSPLIT, $0-32
	MOVD words+0(FP), R0
	MOVD mask+8(FP), R1
	MOVD base+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD $8, R4
next:
	MOVD.P 8(R0), R5
	AND  R1, R5
	MUL  R3, R5
	ADD  R2, R5
	PRFM (R5), PLDL1KEEP
	SUB  $1, R4
	CBNZ R4, next
	RET

// func PrefetchEachWrite(words *uint64, mask uint64, base *byte, stride uint64)
TEXT ·PrefetchEachWrite(SB), NOSPLIT, $0-32
	MOVD words+0(FP), R0
	MOVD mask+8(FP), R1
	MOVD base+16(FP), R2
	MOVD stride+24(FP), R3
	MOVD $8, R4
next:
	MOVD.P 8(R0), R5
	AND  R1, R5
	MUL  R3, R5
	ADD  R2, R5
	PRFM (R5), PSTL1KEEP
	SUB  $1, R4
	CBNZ R4, next
	RET
