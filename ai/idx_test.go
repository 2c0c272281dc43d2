package ai
import ("testing";"math/rand/v2")
func BenchmarkIndex(b *testing.B){
 e:=make([]float64,200); for i:=range e {e[i]=float64(i)*0.03-3}
 bins,_:=NewNumericBins(e,0)
 x:=make([]float64,1<<14); for i:=range x {x[i]=rand.NormFloat64()}
 i,s:=0,0
 for b.Loop(){ s+=bins.Index(x[i&(1<<14-1)]); i++}
 _=s
}
func BenchmarkHash(b *testing.B){
 d:=new(Distinct)
 x:=make([]float64,1<<14); for i:=range x {x[i]=rand.NormFloat64()}
 i:=0
 for b.Loop(){ d.AddNumber(x[i&(1<<14-1)]); i++}
}
