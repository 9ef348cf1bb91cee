#include "textflag.h"

// func Pause()
TEXT ·Pause(SB), NOSPLIT, $0-0
	PAUSE
	RET

// func PrefetchWrite(p *byte)
TEXT ·PrefetchWrite(SB), NOSPLIT, $0-8
	MOVQ p+0(FP), AX
	BYTE $0x0f; BYTE $0x0d; BYTE $0x08 // PREFETCHW (AX), which the assembler does not know; a no-op where the processor does not
	RET

// func PrefetchEach(words *uint64, mask uint64, base *byte, stride uint64)
TEXT ·PrefetchEach(SB), NOSPLIT, $0-32
	MOVQ words+0(FP), SI
	MOVQ mask+8(FP), DX
	MOVQ base+16(FP), DI
	MOVQ stride+24(FP), R8
	MOVQ $8, CX
next:
	MOVQ (SI), AX
	ANDQ DX, AX
	IMULQ R8, AX
	ADDQ DI, AX
	PREFETCHT0 (AX)
	ADDQ $8, SI
	DECQ CX
	JNZ  next
	RET

// func PrefetchEachWrite(words *uint64, mask uint64, base *byte, stride uint64)
TEXT ·PrefetchEachWrite(SB), NOSPLIT, $0-32
	MOVQ words+0(FP), SI
	MOVQ mask+8(FP), DX
	MOVQ base+16(FP), DI
	MOVQ stride+24(FP), R8
	MOVQ $8, CX
next:
	MOVQ (SI), AX
	ANDQ DX, AX
	IMULQ R8, AX
	ADDQ DI, AX
	BYTE $0x0f; BYTE $0x0d; BYTE $0x08 // PREFETCHW (AX), as above
	ADDQ $8, SI
	DECQ CX
	JNZ  next
	RET
