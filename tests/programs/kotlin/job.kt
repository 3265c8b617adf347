class Node(val key: Int, var left: Node? = null, var right: Node? = null)

fun insert(node: Node?, key: Int): Node {
    if (node == null) return Node(key)
    if (key < node.key) node.left = insert(node.left, key) else node.right = insert(node.right, key)
    return node
}

fun depth(node: Node?): Int = if (node == null) 0 else 1 + maxOf(depth(node.left), depth(node.right))

sealed class Shape { abstract fun area(): Double }
class Circle(val radius: Double) : Shape() { override fun area() = 3.25 * radius * radius }
class Square(val side: Double) : Shape() { override fun area() = side * side }

fun fibonacci() = sequence { var a = 0L; var b = 1L; while (true) { yield(a); val next = a + b; a = b; b = next } }

fun main() {
    println("Grüße, \uD83D\uDE00 " + (1..10).sum())
    var root: Node? = null
    var number = 12345L
    repeat(5000) { number = (number * 1103515245 + 12345) and 0x7fffffff; root = insert(root, (number % 100000).toInt()) }
    println("depth ${depth(root)}")
    val words = "the cat and the dog and the bird".split(" ")
    println(words.groupingBy { it }.eachCount().toList().sortedByDescending { it.second }.joinToString())
    println(listOf(Circle(1.5), Square(2.0), Circle(0.25)).map { (it.area() * 1000).toInt() })
    println((1..20).fold(1L) { product, factor -> product * factor })
    println("abc".reversed().uppercase() + "naïve".map { it.code } + "\uD83D\uDE00".length + "\uD83D\uDE00"[1].code)
    for (risky in listOf<() -> Any?>({ listOf(1)[3] }, { "x".toInt() }, { null!! }, { error("on purpose") }, { 1 / "".length }))
        try { println(risky()) } catch (problem: Exception) { println("caught ${problem::class.simpleName}") }
    println(Regex("[a-z]+(\\d+)").findAll("ab12 cd345").map { it.groupValues[1].toInt() }.sum())
    val squares = HashMap<String, MutableList<Int>>()
    for (i in 0 until 1000) squares.getOrPut("k${i % 7}") { mutableListOf() }.add(i * i)
    println(squares.entries.sortedBy { it.key }.map { it.value.sum() })
    println("${Long.MIN_VALUE} ${Int.MAX_VALUE} ${1.5} ${0.1f} ${UInt.MAX_VALUE} ${ULong.MAX_VALUE} ${-7 / 2} ${-7 % 3} ${7 ushr 1}")
    println(fibonacci().drop(60).first())
    println(buildString { repeat(3) { append(it).append(',') } } + listOf("b", "\uFFFD", "\uD83D\uDE00", "a").sorted())
    var chain: Pair<Any?, Int>? = null
    for (turn in 1..50) { chain = null; for (i in 0 until 2000) chain = Pair(chain, i) }
    println(generateSequence(chain) { @Suppress("UNCHECKED_CAST") (it.first as Pair<Any?, Int>?) }.sumOf { it.second })
}
