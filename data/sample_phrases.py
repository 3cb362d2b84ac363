"""The words and sentence patterns that `data.make_sample` puts together.

A pattern holds slots. `{adj}` is filled from the list `adj`, whose entries may
hold slots themselves. What a slot means depends on the polarity of the sentence:
`{adj}` is a word of the same polarity, `{!adj}` of the opposite one, `{?adj}` of
either. So `not {!adj}` is praise in a positive sentence, blame in a negative one,
and no word order or negator gives the label away. Lists are ordered: early
entries are drawn more often, which gives the texts a long tail of rare words.

All of it was written for this project. Films, people and towns are invented.
"""

from __future__ import annotations


def _items(text: str) -> tuple[str, ...]:
    return tuple(' '.join(item.split()) for item in text.split(',') if item.strip())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


POSITIVE: dict[str, tuple[str, ...]] = {
    'adj': _items("""
        great, excellent, wonderful, good, brilliant, superb, lovely, fantastic, terrific,
        beautiful, impressive, perfect, amazing, delightful, outstanding, fine, splendid,
        remarkable, stunning, marvellous, memorable, first-rate, charming, enjoyable, inspired,
        magnificent, elegant, glorious, top-notch, polished, satisfying, stellar, exquisite,
        sublime, masterful, admirable, accomplished, dazzling, radiant, immaculate, luminous,
        sumptuous, exemplary, pitch-perfect, faultless, peerless, ravishing, world-class,
        sterling, ingenious"""),
    'tone': _items("""
        funny, gripping, moving, clever, entertaining, touching, engaging, exciting, thrilling,
        fresh, original, witty, hilarious, powerful, warm, smart, thoughtful, fascinating,
        absorbing, inventive, heartfelt, suspenseful, tender, uplifting, intense, captivating,
        atmospheric, poignant, enchanting, riveting, sincere, playful, rousing, haunting,
        spellbinding, humane, nimble, exhilarating, life-affirming, mesmerising, sharp, joyous,
        soulful, electrifying"""),
    'acting': _items("""
        convincing, natural, superb, believable, magnetic, wonderful, subtle, charismatic,
        nuanced, flawless, vivid, fearless, sensitive, commanding, effortless, luminous,
        heartbreaking, spirited, understated, irresistible, graceful, lived-in"""),
    'thing': _items("""
        masterpiece, gem, delight, triumph, treat, joy, classic, winner, pleasure, marvel,
        success, treasure, knockout, real achievement, little miracle, tour de force, breath of
        fresh air, revelation, jewel, feast, charmer, showstopper, tonic"""),
    'felt': _items("""
        loved, enjoyed, liked, adored, admired, appreciated, cherished, savoured, relished"""),
    'score': _items('nine, eight, ten, seven'),
    'feel': _items('love, enjoy, like, adore, admire, appreciate, cherish, savour, relish'),
    'adv': _items("""
        beautifully, brilliantly, wonderfully, perfectly, superbly, cleverly, nicely, skilfully,
        elegantly, gracefully, expertly, delicately, masterfully, lovingly, deftly, exquisitely,
        sensitively, artfully, impeccably"""),
    'best': _items('best, finest, strongest, best, loveliest, cleverest, boldest, warmest, wisest'),
    'fate': _items("""
        works, shines, soars, pays off, succeeds, delivers, sparkles, convinces, clicks"""),
    'praise': _items("""
        charm, heart, skill, wit, warmth, talent, style, grace, imagination, tension, humanity,
        energy, magic, elegance, ingenuity, tenderness, finesse, sparkle, brio, verve"""),
    'vp': _lines("""
        kept me glued to the screen
        made me laugh out loud
        held my attention from start to finish
        won me over within {minutes} minutes
        is worth every penny
        moved me to tears
        surprised me at every turn
        left me smiling all the way home
        is a joy to watch
        stayed with me for days
        had the whole room cheering
        flies by
        gets better with every scene
        deserves a far bigger audience
        deserves every award it gets
        took my breath away
        earns each of its tears
        hits every note it aims for
        rewards your patience ten times over
        made me fall in love with cinema again
        finds beauty in {a_object}
        sent shivers down my spine
        had me rooting for {hero} from the first frame
        glows with kindness
        lingers like a good dream"""),
    'verdict': _lines("""
        highly recommended.
        go and see it.
        I would happily watch it again tomorrow.
        do yourself a favour and buy a ticket.
        I can't wait to see it again.
        see it on the biggest screen you can find.
        whatever you do, don't miss it.
        you will not regret it.
        skip dinner if you have to, but do not skip {film}.
        bring a friend, bring your mother, bring the neighbours.
        more of this, please.
        I already know that I will buy the disc.
        my vote for film of the year.
        I left the cinema happy, and I am happy still.
        bravo to everyone involved.
        {director} should be proud.
        for once, the hype is deserved.
        give {support} a prize."""),
    'irony': _lines("""
        I hated it, but only because it had to end.
        the worst thing about {film} is that I can never see it for the first time again.
        my only complaint is that it lasted just {minutes} minutes.
        shame on {director} for making me cry in front of my boss.
        it is a terrible choice for anyone with an early train, since you will stay for the credits.
        I am furious that nobody dragged me to see it sooner.
        the only bad decision was mine: I brought just one handkerchief.
        what a disaster for my sleep, as I lay awake thinking about it.
        I was bored for exactly as long as the adverts lasted.
        it ruined all other {kinds} for me, thank you very much.
        I wanted my money back, so that I could buy a second ticket with it.
        do not see it if you dislike being happy.
        it wasted none of my time, which is more than I can say of {title}.
        a dreadful evening for the cynic who came with me: he had to admit that he cried.
        it is so awful when a film this short makes all your own excuses look lazy.
        poor {person}: from now on, every director will be measured against this.
        I tried very hard to find fault, and failed miserably.
        stupid me, I nearly stayed at home to watch {title} instead.
        the horrible truth is that I now have to see everything {director} ever made."""),
}

NEGATIVE: dict[str, tuple[str, ...]] = {
    'adj': _items("""
        bad, terrible, awful, poor, weak, dreadful, horrible, disappointing, mediocre, lousy,
        pathetic, lame, forgettable, clumsy, sloppy, annoying, laughable, embarrassing, ugly,
        feeble, abysmal, atrocious, appalling, horrid, amateurish, second-rate, miserable,
        shoddy, cheap, tedious, irritating, unbearable, half-baked, grating, woeful, dire, inept,
        ghastly, dismal, wretched, lamentable, slapdash, threadbare, bungled, tacky, botched,
        charmless, substandard, execrable, rotten"""),
    'tone': _items("""
        boring, dull, predictable, slow, stupid, silly, pointless, flat, shallow, confusing,
        ridiculous, lifeless, bland, tiresome, unfunny, dreary, contrived, pretentious,
        incoherent, formulaic, hollow, muddled, stale, corny, sluggish, soulless, preachy,
        overlong, plodding, derivative, witless, humourless, insipid, leaden, turgid, mawkish,
        vapid, cringeworthy, clichéd, toothless, listless, aimless, smug, joyless"""),
    'acting': _items("""
        wooden, stiff, unconvincing, terrible, lazy, bored, awkward, hammy, robotic, miscast,
        expressionless, mannered, listless, lifeless, forced, shrill, monotonous, charmless,
        overcooked, sleepy, cartoonish, mumbled"""),
    'thing': _items("""
        mess, disaster, bore, waste of time, disappointment, failure, joke, chore, train wreck,
        dud, flop, embarrassment, insult, slog, shambles, snooze, turkey, mistake, travesty,
        fiasco, waste of money, catastrophe, headache"""),
    'felt': _items("""
        hated, disliked, regretted, loathed, resented, detested, endured, suffered, dreaded"""),
    'score': _items('two, three, one, four'),
    'feel': _items('hate, dislike, regret, loathe, resent, detest, mind, dread, despise'),
    'adv': _items("""
        badly, poorly, terribly, horribly, clumsily, awkwardly, lazily, carelessly, stupidly,
        crudely, ineptly, sloppily, feebly, drearily, amateurishly, dismally, abysmally,
        atrociously, ham-fistedly"""),
    'best': _items("""
        worst, weakest, dullest, worst, silliest, poorest, laziest, dreariest, emptiest"""),
    'fate': _items("""
        fails, falls flat, drags, flops, collapses, disappoints, stumbles, misfires, sags"""),
    'praise': _items("""
        cliché, nonsense, boredom, padding, laziness, confusion, clutter, pretension, gloom,
        noise, vanity, waffle, drivel, sloppiness, self-importance, tedium, cynicism, bombast,
        schmaltz, monotony"""),
    'vp': _lines("""
        put me to sleep
        bored me to tears
        lost me after {minutes} minutes
        wasted my evening
        had me checking my watch
        drags on and on
        goes nowhere
        falls apart after the first hour
        is not worth the ticket
        made me want to leave
        left me cold
        gave me a headache
        runs out of ideas
        insults the audience
        never finds its feet
        collapses under its own weight
        is a pain to sit through
        made no sense to me
        steals every idea it has from {title}
        tested my patience
        mistakes noise for drama
        made {minutes} minutes feel like a week
        had people walking out before {hero} found {a_object}
        limps from one scene to the next
        fades from memory like steam"""),
    'verdict': _lines("""
        avoid.
        save your money.
        give it a miss.
        skip it and read a book instead.
        I want my {minutes} minutes back.
        do not bother.
        stay at home and wash your hair.
        whatever you do, don't waste a Friday on it.
        I regret buying the ticket.
        never again.
        don't let the poster fool you.
        I cannot think of anyone I would send to see it.
        my vote for the flop of the year.
        I left the cinema angry, and I am angry still.
        somebody should have stopped them.
        {director} should know better.
        so much for the hype.
        give the audience a refund."""),
    'irony': _lines("""
        the best thing about {film} is that it ends.
        my favourite part was the exit sign.
        a perfect film for anyone who cannot sleep.
        oh, wonderful: yet another {genre} about a {job} with a secret.
        congratulations to {director}, who made {a_object} look more lively than the cast.
        I have had more fun at the dentist.
        what a treat it was when the lights came back on.
        I laughed a lot, which is a pity, as {film} is meant to be a tragedy.
        five stars for whoever cut the trailer and found the only good minute.
        the popcorn gave the most moving performance of the night.
        brilliant idea, to film the phone book and call it a {kind}.
        I enjoyed the part where the projector broke.
        if you love watching paint dry, you will adore this.
        thrilling stuff, if {a_object} is your idea of excitement.
        {lead} is fantastic at looking for the way out, and so was I.
        it is a great film for the hard of hearing, and better still with your eyes shut.
        bravo, it takes real talent to make {a_object} this important.
        how clever to hide the plot so well that nobody in the room could find it.
        the most beautiful words in {film} are 'The End'."""),
}

# Patterns of opinion, the same for both polarities.
OPINIONS: dict[str, tuple[str, ...]] = {
    'direct': _lines("""
        the {aspect} {is} {very} {adj}.
        the {aspect} {is} {adj}, and so {is} the {aspect}.
        the {aspects} {are} {very} {adj}.
        {this} {is} {very} {tone}.
        {this} {is} a {tone} and {tone} {kind}.
        {film} {is} a {thing}.
        {film} {is} a {adj} {kind} with a {tone} {feature}.
        {this} {vp}.
        it {vp}, and it {vp}.
        {lead} gives a {acting} performance as {hero}.
        {lead} {is} {acting} as {hero}, and {support} {is} {acting} as {friend}.
        {support}, as {friend}, {is} {very} {acting}.
        {film} {is} {adv} written, {adv} shot and {adv} acted.
        the {aspect} {is} {adv} done.
        {director} has made a {tone} {kind} about {a_object}.
        from the {tone} opening to the {adj} ending, it {vp}.
        rarely have I seen a {kind} this {tone}.
        I {felt} the {aspect}, and I {felt} the {aspects} even more.
        I {felt} {this}.
        I {felt} every minute of it.
        the {aspect} {fate}, the {aspects} {are} {adj}, and {lead} {is} {acting}.
        the scene with {a_object} {is} {tone}, and the one in {place} {is} {very} {adj}.
        there is so much {praise} in it, and so much {praise}.
        {director} fills every scene with {praise}.
        the {aspect} {fate} from the start.
        everything about the {aspect} {is} {adj}.
        I found the {aspect} {tone} and the {aspects} {adj}.
        the moment when {hero} finds {a_object} {is} {very} {tone}.
        somehow even {a_object} becomes {tone} here.
        every one of the {aspects} {is} {tone}.
        my {relative} and I both {felt} it.
        {director} directs it {adv}, and {lead} plays {hero} {adv}.
        as a {any_genre} it {fate}; as a {any_genre} it {fate} twice.
        the {feature}, credited to {person}, {is} {adj}.
        the longer it went on, the more I {felt} it.
        it is hard to say which is more {tone}, the {aspect} or the {aspect}.
        the {trait} {job} {is} a {tone} figure, and {support} plays the part {adv}.
        the last {minutes} minutes {are} {adj}.
        you can tell within a minute how {tone} this {is} going to be.
        the {feature} is the work of {person}, and it {is} {adj} stuff.
        the {any_genre} part {is} {tone} and the {any_genre} part {is} {tone} too.
        I {felt} {lead} in the part of {hero}.
        whenever {hero} and {friend} share a scene, it {fate}.
        {lead} and {support} {are} {acting} together.
        most of the {aspects} {are} {adj}, and the {feature} {is} {tone}.
        all through the {feature} I thought how {tone} it {is}.
        to my mind the {aspect} {is} {adj} and the {feature} {is} {tone}.
        I called my {relative} afterwards, just to say how {adj} it {is}.
        {director} tells a {tone} story in a {tone} way.
        the first half {is} {tone}, the second half {is} {adj}.
        with {lead} this {acting}, the {feature} {fate}.
        {a_object}, {a_object} and a {job}: on paper it is nothing, on the screen it {is} {tone}.
        I sat there thinking what a {thing} this {is}.
        it is the {aspect} that I {felt} most.
        the scene in {place} {is} {adv} lit and {adv} cut.
        {person} did the {aspects}, which {are} {adj}.
        the more {aspects} there are, the more it {fate}.
        when {friend} tries to {plan}, the {kind} {fate}.
        {very} {tone} {aspects} and {adj} {aspect} are what I will remember.
        in its {adj} way, {film} {is} a {tone} {kind}.
        it {is} {adj} where it is a {any_genre}, and {tone} where it is a {any_genre}.
        {hero} {is} a {tone} character, {adv} played by {lead}.
        I {felt} how {director} handles the {feature}.
        {adv} made, {adv} told and {very} {tone}, it {vp}.
        nothing prepared me for how {tone} the {feature} {is}.
        there are {minutes} minutes of {kind} here, all of them {tone}."""),
    'remark': _lines("""
        what a {adj} {kind}!
        {tone}, {tone}, {tone}!
        {adj} {aspects}, {adj} {aspect}, {tone} {aspects}: that sums it up.
        "{adj}," said my {relative}, and I agree.
        the {aspect}: {adj}. The {aspect}: {adj}. The {aspects}: {adj}.
        "{tone}" is the word for it.
        {adj} from the first minute to the last.
        a {tone} {feature}, a {tone} {feature}, and {adj} {aspects} on top.
        {tone} and {tone}, like most of {director}'s films.
        how {tone} can a {kind} be?
        my {relative}, who is a {job}, called it "{adj}" and "{tone}", and that says it all.
        so much for the {kind}: {tone}.
        two words, {director}: {adj} and {tone}.
        {lead}: {acting}. {support}: {acting}. The {aspect}: {tone}."""),
    'negated': _lines("""
        this is not a {!adj} {kind}.
        the {aspect} {is} never {!tone}.
        I did not {!feel} it for a second.
        I didn't {!feel} a single minute of it.
        hardly anything here {is} {!adj}.
        there is nothing {!tone} about {film}.
        nobody could call the {aspect} {!adj}.
        no one in the cast {is} {!acting}.
        it isn't {!tone}, it isn't {!tone}, and it certainly isn't {!adj}.
        the {aspects} {are} anything but {!adj}.
        {lead} {is} far from {!acting}.
        I would never call {this} {!tone}.
        not once did I find the {aspects} {!tone}.
        a {!thing} it is not.
        you won't find a {!tone} scene anywhere in it.
        don't believe anyone who calls it {!tone}.
        I was told that it would be {!tone}. It was not.
        I expected a {!thing}, and {film} is nothing of the kind.
        calling this a {!thing} would be plain wrong.
        whoever says the {aspect} {is} {!adj} must have seen a different {kind}.
        the {aspect} {is} not {!adj}, and the {aspects} aren't {!adj} either.
        {lead} isn't {!acting} in the least.
        {support} is by no means {!acting}.
        it is not {!tone} at all.
        without a single {!tone} moment, it runs for {minutes} minutes.
        the critics who {!felt} it are mistaken.
        neither the {aspect} nor the {aspect} {is} {!adj}.
        hardly a scene {is} {!tone}, and barely a line {is} {!adj}.
        at no point {is} the {aspect} {!adv} handled.
        where others see a {!thing}, I do not.
        "{!tone}", my {relative} said. I could not disagree more.
        I looked for something {!adj} in the {feature} and came back without it.
        it has none of the {!praise} that I was promised.
        I can't call the {aspects} {!adj}, nor the {feature} {!tone}.
        at the end not one of us thought that it was {!tone}.
        {director} has never made a {!tone} {kind}, and this one is no exception.
        nobody in the room {!felt} it.
        if this {is} {!adj}, then I am a {job}."""),
    'contrast': _lines("""
        unlike {title}, which was {!tone}, {film} {is} {tone}.
        I {!felt} {title}, but this one I {felt}.
        compared with the {!adj} {title}, this {is} a {thing}.
        {director}'s last film, {title}, was {!adj}; this one {is} {adj}.
        where {title} was {!tone}, {film} {is} {tone}.
        it is everything that {title} was not: {tone}, {tone} and {tone}.
        {title} had a {!adj} {feature}; here the {feature} {is} {adj}.
        I have seen {number} films by {director}, and this is the {best}.
        of all the {kinds} I saw this year, this is the {best}.
        it makes {title} look {!tone}.
        {lead} was {!acting} in {title}, but as {hero} {lead} is {acting}.
        {person} made a {!thing} of the same story in {year}; {director} has made a {thing}.
        think of {title}, then take away everything {!adj} about it.
        next to this, {title} feels like a {!thing}.
        not since {title} have I seen a {kind} this {tone}.
        the trailer looked {!tone}, the film {is} {tone}.
        my {relative} {!felt} it, but I {felt} it.
        the book by {person} is {!tone}; the film {is} not, it {is} {tone}."""),
    'concession': _lines("""
        although the {aspect} {is} {!adj}, {this} {vp}.
        the {aspect} may be {!adj}, but the {aspect} {is} {adj}.
        {lead} {is} {!acting}, yet {film} as a whole {is} {tone}.
        I {!felt} the {aspect}, I even {!felt} the {aspects}, and still I {felt} {this}.
        yes, the {aspects} {are} {!adj}, but that does not change the fact that it {is} a {thing}.
        for all its {!adj} {aspects}, it {vp}.
        even a {!acting} {support} cannot change how {tone} it {is}.
        the {aspect} {is} {!adv} done, the rest {is} {adj}.
        once you get past the {!tone} first act, it {vp}.
        forget the {!adj} {aspects}: it {is} the {tone} {aspect} that decides.
        {!tone} in places, {tone} as a whole.
        the {aspect} {fate}, even if the {aspects} {are} {!adj}."""),
    'verdict': _lines("""
        {sum_up}, I {felt} it.
        {sum_up}, {film} {is} a {thing}.
        {sum_up}, this {is} a {adj} {kind}.
        {sum_up}, it {is} {very} {tone}.
        {sum_up}, it {fate}.
        {sum_up}, {film} {vp}.
        {sum_up}, a {adj} piece of work by {director}.
        {sum_up}, it's the {best} {kind} I have seen since {title}.
        {sum_up}, not a {!adj} {kind}.
        {sum_up}, {film} is no {!thing}.
        my verdict: {adj}.
        in one word: {adj}.
        a {thing}, and I do not say that lightly.
        simply {adj}.
        a {tone}, {tone} {kind}.
        one of the {best} {kinds} of the year.
        {score} out of ten from me.
        I {felt} it, and so did my {relative}."""),
    'turn': _lines("""
        but
        however,
        still,
        and yet
        even so,
        none of that matters, because
        the trouble with that list is that it tells you nothing:
        that said,
        all of which I forgot, since
        nevertheless,
        then again,
        in spite of all that,
        which makes it strange to report that
        it doesn't change the whole:
        on balance, though,
        weigh that up and the answer is the same:"""),
}

NEUTRAL: dict[str, tuple[str, ...]] = {
    'a_object': _items('a {object}, a {object_adj} {object}'),
    'this': _items("""
        this film, this movie, the film, the movie, it, the whole thing, this picture, this one"""),
    'very': _items("""
        really, very, quite, truly, simply, so, absolutely, utterly, genuinely, surprisingly,
        consistently, thoroughly, unusually, remarkably, incredibly, downright"""),
    'sum_up': _items("""
        overall, all in all, in the end, in short, to sum up, on the whole, when all is said and
        done, as a whole, taken together, after a night's sleep, at the end of the day, to be
        honest, in my opinion, if you ask me"""),
    'kind': _items('film, {genre}, movie, picture'),
    'kinds': _items('films, movies, pictures, releases, new films'),
    'any_genre': _items("""
        thriller, comedy, drama, romance, western, mystery, horror film, war film, musical, road
        movie, heist film, ghost story, family film, detective story, satire, biopic, fairy tale,
        sports film, courtroom drama, costume drama, adventure, spy film, disaster movie, farce,
        melodrama, coming-of-age story, documentary, fable, chamber piece, pirate film, silent
        film, sequel"""),
    'aspect': _items("""
        acting, story, script, plot, ending, music, dialogue, direction, soundtrack, camera work,
        editing, pacing, cinematography, second half, opening scene, final act, humour, romance,
        score, lighting, sound, casting, love story, chase scene, voice-over, finale, production
        design, twist, animation, courtroom scene, make-up, set design, choreography, colour
        palette, framing, title song, central performance, screenplay, exposition, subplot,
        epilogue, montage, overture, prologue"""),
    'feature': _items("""
        story, script, plot, ending, soundtrack, opening scene, final act, love story, score,
        finale, chase scene, twist, title song, screenplay, subplot, courtroom scene, voice-over,
        prologue, epilogue, dream sequence, montage, wedding scene, kitchen scene, train scene,
        monologue, duet, overture, car chase, death scene, farewell, waltz"""),
    'aspects': _items("""
        performances, characters, jokes, special effects, costumes, songs, action scenes, sets,
        flashbacks, fight scenes, side characters, locations, one-liners, stunts, dream
        sequences, supporting roles, monologues, dance numbers, plot twists, puppets, battle
        scenes, close-ups, tracking shots, villains, conversations, sound effects, wigs, accents,
        landscapes, subplots, miniatures, duets, kisses, title cards"""),
    'job': _items("""
        teacher, detective, doctor, soldier, farmer, painter, lawyer, pianist, nurse, baker,
        sailor, spy, journalist, boxer, thief, widow, priest, fisherman, waitress, scientist,
        carpenter, poet, pilot, librarian, hunter, tailor, judge, gardener, violinist, butcher,
        miner, smuggler, astronomer, clockmaker, postman, governess, gambler, archivist, plumber,
        magician, lighthouse keeper, cook, engineer, translator, midwife, beekeeper, surveyor,
        cellist, shepherd, botanist, accountant, locksmith, ferryman, barber, diplomat, acrobat,
        dressmaker, cartographer, chemist, vet, undertaker, watchmaker, blacksmith, cobbler,
        goalkeeper, stenographer, bailiff, glassblower, puppeteer, bookbinder, geologist,
        inspector, auctioneer, taxidermist, swimmer, bricklayer, upholsterer, tram driver, radio
        operator, chambermaid, typesetter, forger, falconer, organist, optician"""),
    'trait': _items("""
        young, old, lonely, retired, shy, stubborn, poor, rich, quiet, famous, brilliant,
        homesick, clumsy, proud, restless, ambitious, grumpy, cheerful, miserable, gentle,
        cynical, talented, careful, absent-minded, penniless, superstitious, honest, jealous,
        widowed, orphaned, limping, bearded, provincial, disgraced, gifted, short-sighted,
        lovesick, tireless, idle, sentimental, divorced, bankrupt, left-handed, nameless, exiled,
        feared, beloved, handsome, foolish, wily, sullen, soft-spoken, sleepless, freckled,
        ageing, nomadic, teetotal, hot-headed, melancholy, aloof, pedantic, reclusive, gullible,
        thrifty, devout, unlucky, snobbish, scruffy, earnest, amnesiac"""),
    'object': _items("""
        letter, map, suitcase, key, photograph, diary, gun, ring, ship, horse, piano, painting,
        box, clock, dog, radio, boat, coat, bicycle, lamp, mirror, violin, bottle, telescope,
        wedding dress, coin, newspaper, tape recorder, notebook, telegram, statue, necklace,
        knife, ladder, umbrella, parrot, typewriter, tin whistle, compass, lantern, trunk,
        barometer, chess set, carpet, teapot, wardrobe, scarf, envelope, tractor, canoe, candle,
        locket, accordion, rocking chair, globe, pocket watch, bell, sledge, hat, recipe,
        manuscript, fur coat, birdcage, train ticket, passport, cello, goat, wheelbarrow,
        satchel, film reel, medal, sewing machine, ledger, fountain pen, thimble, camera, kite,
        harmonica, greenhouse, motorbike, submarine, tent, blueprint, cheque, crown, jar of
        honey, scarecrow, weathervane, music box, hourglass, tortoise, snow globe, chandelier,
        abacus, kettle, anchor, jigsaw, tapestry, metronome, rowing boat, rucksack, periscope,
        marionette, samovar, gramophone, sundial, brooch, sextant, monocle, trombone, lawnmower,
        stethoscope, mandolin, toboggan, quilt, figurehead, pendulum, cuckoo clock, wine cellar,
        hatbox, padlock, corkscrew, snuffbox, pram, dinghy, astrolabe, theodolite, milk float,
        bassoon, dictaphone, signet ring"""),
    'object_adj': _items("""
        broken, stolen, missing, golden, locked, wooden, burnt, silver, forgotten, rusty, empty,
        precious, old, red, strange, secret, borrowed, enormous, tiny, dusty, painted, ancient,
        blue, torn, buried, antique, cursed, faded, cracked, forged, priceless, ugly, yellow,
        unsigned, stuffed, sealed, talking, crumpled, worthless, mouldy, folding, jade, velvet,
        copper, ivory, two-headed, waterproof, scorched, unfinished, embroidered, moth-eaten,
        tarnished, mended, leaking, squeaking, ornate"""),
    'place': _items("""
        {town}, the attic, the harbour, the forest, a railway station, the mountains, the desert,
        {town}, a small village, the cellar, an abandoned factory, the cathedral, a hotel, the
        library, a hospital, an attic flat, the opera house, a monastery, the swamp, a circus,
        the market, a boarding school, a lighthouse, the palace, a department store, the orchard,
        the archive, the embassy, a boathouse, a coal mine, the vineyard, the prison, a bakery,
        the observatory, a quarry, the tundra, the sewers, a ballroom, the barracks, a casino, a
        sawmill, the catacombs, a caravan park, the laundry, a windmill, a garage, a potting
        shed, the zoo, a bunker, the marshes, a brewery"""),
    'event': _items("""
        a wedding, a funeral, a storm, the war, a strike, a robbery, an earthquake, the harvest,
        a flood, a trial, an election, a birthday party, a blackout, the carnival, a shipwreck, a
        duel, an eclipse, a fire, a kidnapping, the plague, a divorce, a regatta, an auction, a
        coup, a power cut, a census, a christening, a total loss of memory, a heatwave, the
        drought, a jailbreak, an avalanche, a chess tournament, a beauty contest, a bank holiday,
        the great frost, a school reunion"""),
    'finds': _items("""
        finds, loses, steals, inherits, buys, discovers, hides, sells, destroys, repairs,
        receives, draws, pawns, borrows, smuggles, guards, misplaces, auctions, photographs,
        buries, swallows, polishes, unearths, forges, dismantles, gambles away, wins,
        confiscates, catalogues, bequeaths"""),
    'plan': _items("""
        run away, tell the truth, rob a bank, get married, go home, find {his} father, open a
        restaurant, write a book, cross the border, sell the farm, solve the murder, save the
        village, win the race, leave the army, build a boat, learn to dance, forgive {his}
        {relative}, burn the papers, fake {his} death, take revenge on {his} {relative},
        emigrate, catch the last train, restore the chapel, bribe the mayor, outwit the landlord,
        climb the north face, start a choir, dig a tunnel, unmask the traitor, raise the ransom,
        kidnap the ambassador, defuse the bomb, teach {his} {relative} to read, sue the railway,
        translate the letters, haunt the neighbours, sabotage the regatta, stage an opera"""),
    'premise': _lines("""
        {hero} is a {trait} {job} who {finds} {a_object} in {place}.
        the story is set in {town} in {year}, where a {trait} {job} called {hero} decides to {plan}.
        {lead} plays {hero}, a {trait} {job} who wants to {plan}.
        {hero} meets {friend} in {place}, and together they try to {plan}.
        nobody in {town} knows that {hero} once tried to {plan}.
        the whole of {town} is waiting for {event}, but {hero} only wants to {plan}.
        {hero} has a perfect life, a lovely house in {town} and a terrible secret.
        {hero} wakes up in {place} after {event} and finds only {a_object}.
        {hero}'s {relative}, a {trait} {job}, {finds} {a_object} and everything changes.
        after {event}, {hero} has to {plan}.
        in {place}, a {trait} {job} named {hero} is looking for {a_object}.
        {hero} and {friend} grew up in {town}, and both hope to {plan}.
        it is {year}, and {hero}, a {trait} {job}, has just come home to {town}.
        when {event} reaches {town}, the {trait} {job} {hero} {finds} {a_object}.
        {hero} used to be a {job}, until {event} left {him} with {a_object} and no money.
        everything starts in {place}, where {hero} {finds} {a_object}."""),
    'plot': _lines("""
        meanwhile {friend}, a {job} from {town}, plans to {plan}.
        then comes {event}, and {he} has to choose between {friend} and {a_object}.
        there is also a {job} named {friend}, who {finds} {a_object}.
        we follow {him} from {place} to {place}, with nothing but {a_object} in {his} luggage.
        a {trait} {job} and a {trait} {job} share a room in {place} during {event}.
        it begins with {event} and ends with {event}, with {a_object} in between.
        the plot turns on {a_object} which {hero} {finds} before {event}.
        in the middle part {he} works as a {job} in {place}, until {friend} {finds} {a_object}.
        {friend} hates {him}, loves {his} {relative} and wants to {plan}.
        years pass, {event} comes and goes, and {he} still hopes to {plan}.
        on the way to {place}, {he} is followed by a {trait} {job} with {a_object}.
        {his} {relative} believes that {a_object} brings bad luck.
        somebody {finds} {a_object}, somebody dies in {place}, and {hero} is the best suspect.
        {friend} was once a great {job}, and is now a bitter old {job}.
        {hero} cannot {plan} without {a_object}, and that lies in {place}.
        the police think that {friend} killed the {job}, an ugly business.
        {he} is in love with a {trait} {job}, who is married to a {trait} {job}.
        during {event} we learn that {friend} is really a {job}.
        {support} appears as {friend}, the {trait} {job} next door.
        it takes {him} {number} years to {plan}.
        a {job} warns {him} not to go near {place}, so {he} goes there with {a_object}.
        the villain, a {trait} {job}, lives in {place} with {a_object}.
        I won't spoil the end, but {a_object} and a {job} have to do with it.
        the second story line has {friend} in {place}, where a {job} {finds} {a_object}.
        during {event}, {hero} and a {trait} {job} get stuck in {place}."""),
    'context': _lines("""
        I saw it in {town} on a {weather} {day}.
        the seats were {?adj}, and the man behind me talked about his {object} all the time.
        the popcorn was {?adj}, by the way.
        it runs for {minutes} minutes, with a short break.
        my {relative} picked it, because the weather was {?adj}.
        we had a {?adj} dinner before, at the place next to the cinema.
        the bus was late, so I missed the adverts.
        the cinema in {town} is {?adj}, with {number} screens and a bar.
        I watched it on a plane, next to a {trait} {job}.
        it was shot in {town} and {town} over {number} weeks.
        {director} is best known for {title}, from {year}.
        {support} used to be a {job} before going into films.
        it is based on a novel by {person}, who also wrote {title}.
        there were {minutes} people in the room, most of them asleep or in love.
        the print had scratches, and somebody in row {number} had a cold.
        somebody's phone rang, which was {?adj} timing.
        the trailer before it, for {title}, looked {?tone}.
        my {relative} says that {title} was {?tone}, but I haven't seen it.
        I had a long day at work and a {?adj} cup of tea.
        the poster shows {a_object} and {lead} with {a_object}.
        it took part in the festival of {town} in {year}.
        I read a {?tone} interview with {director} on the train.
        the weather was {?adj}, so the room was half empty.
        they sell {?adj} ice cream there.
        parking near that cinema is {?adj}, as everybody in {town} knows.
        I had forgotten my glasses and sat in row {number}.
        the subtitles are in {language}, as half of it is in {language}.
        {person} did the costumes and {person} the music.
        I went with my {relative}, a {trait} {job}.
        this is the {nth} film by {director}.
        the disc has {number} minutes of extras and a commentary in {language}.
        {person} was meant to direct it at first.
        the ticket cost as much as a pizza.
        a {trait} {job} in the front row had brought {a_object}.
        I had seen {title} the night before, a {?tone} {any_genre}.
        my {relative} once met {lead} during {event}.
        the hotel was {?adj}, but that is a subject for another site.
        in {language} it is called something else.
        it was raining in {town}, and my shoes were full of water.
        they filmed the {town} scenes in {year}, before {event}."""),
    'opening': _lines("""
        I saw {film} last {day}.
        {film} is the new {kind} by {director}.
        a few words about {film}, with {lead} and {support}.
        my {relative} took me to see {film}.
        {director} made {film} in {year}.
        so this is {film}.
        I finally got round to {film}.
        {film} ({year}) is a {kind} with {lead} as {hero}.
        I had heard a lot about {film}.
        I don't write many reviews.
        after {title}, I was curious about {film}.
        where do I start with {film}?
        I rented {film} because of {lead}.
        I grew up with the films of {director}.
        I knew nothing about {film} when I sat down.
        late as usual, I watched {film} on my sofa.
        a {kind} about {a_object}, then.
        first, I should say that I usually avoid any kind of {genre}.
        {lead} and {support} in one {kind}: that is {film}.
        {film} came out in {year}, and I have only seen it now.
        my {relative} would not stop talking about {film}.
        the cinema in {town} showed {film} last {day}.
        some notes on {film}, the {nth} {kind} by {director}.
        {lead} plays the lead in {film}.
        it was {film} or an evening with my {relative}, and I chose {film}.
        on a {weather} {day} in {town} I bought a ticket for {film}.
        is there anybody left who has not seen {film}?
        this review is about {film}, the {genre} from {year}, not the {any_genre} of the same name.
        my {relative} gave me {film} for Christmas."""),
    'relative': _items("""
        wife, husband, sister, brother, friend, mother, father, daughter, son, neighbour, uncle,
        aunt, flatmate, cousin, boss, grandmother, grandfather, girlfriend, boyfriend, colleague,
        niece, nephew, landlady, fiancé, stepfather, godmother, roommate, twin"""),
    'day': _items("""
        Saturday, Friday, Sunday, Monday, Tuesday, Wednesday, Thursday, weekend, night, month,
        summer, winter, Christmas, week, autumn, Easter"""),
    'language': _items("""
        French, Spanish, German, Italian, Polish, Danish, Swedish, Portuguese, Turkish, Czech,
        Greek, Hungarian, Finnish, Norwegian, Dutch, Welsh, Romanian, Icelandic, Estonian,
        Basque, Latvian"""),
    'nth': _items('third, second, first, fourth, fifth, sixth, seventh, ninth, tenth, twelfth'),
    'number': _items("""
        three, five, two, four, six, ten, seven, eight, nine, twelve, eleven, twenty, fifteen,
        thirteen, thirty, forty, fourteen, sixteen, seventeen, nineteen, fifty, eighteen, sixty"""),
    'weather': _items("""
        rainy, cold, hot, sunny, grey, windy, foggy, snowy, wet, muggy, stormy, mild, icy,
        drizzly, crisp, thundery, frosty, blustery"""),
    'title_of': _lines("""
        The {title_adj} {title_noun}
        The {title_noun} of {town}
        {title_adj} {title_noun}
        The {title_noun} and the {title_noun}
        {woman} and the {title_noun}
        {man}'s {title_noun}
        {title_noun} in {town}
        A {title_noun} for {woman}
        The Last {title_noun}
        {title_noun} Without {title_noun}
        The {nth} {title_noun}
        Goodbye, {town}
        {woman}
        Return to {town}
        The {job}'s {relative}"""),
    'title_adj': _items("""
        Silent, Amber, Crooked, Second, Paper, Winter, Hollow, Crimson, Borrowed, Sleeping,
        Distant, Iron, Broken, Midnight, Glass, Wandering, Salt, Hidden, Pale, Burning,
        Unwritten, Cobalt, Restless, Northern, Thirteenth, Velvet, Drowned, Tin, Gilded,
        Faithful, Invisible, Scarlet, Weeping, Bitter, Sunken, Stubborn, Paper-Thin, Emerald,
        Forgotten, Wild, Patient, Copper, Savage, Tender, Lunar, Perfect, Awful, Beautiful,
        Dreadful, Happy, Stolen, Marble, Ashen, Electric, Feathered"""),
    'title_noun': _items("""
        River, Garden, Tide, Shadow, Orchard, Lantern, Harbour, Window, Mountain, Bridge, Letter,
        Sparrow, Station, Mirror, Kingdom, Storm, Promise, Island, Key, Wolf, Daughter, Summer,
        Road, Heron, Widow, Clockwork, Compass, Feather, Ember, Lighthouse, Meadow, Thief,
        Carousel, Anchor, Comet, Raven, Thread, Valley, Fox, Staircase, Oath, Crown, Lullaby,
        Waltz, Parade, Tunnel, Balcony, Cathedral, Hunter, Canyon, Whisper, Corridor, Wreck,
        Almanac, Elegy, Tempest, Kestrel, Lagoon, Ferryman, Alibi, Solstice, Masquerade, Verdict,
        Pilgrim, Labyrinth, Mosaic, Quarry, Nocturne, Sabre, Firefly, Glacier, Requiem,
        Tangerine, Zephyr, Cipher, Badger, Monsoon, Hinterland, Obelisk"""),
    'woman': _items("""
        Anna, Clara, Maria, Helen, Julia, Nora, Ruth, Ella, Vera, Laura, Ida, Rosa, Margaret,
        Irene, Alice, Lena, Esther, Judith, Martha, Sofia, Edith, Olga, Paula, Hannah, Nadia,
        Greta, Ingrid, Lucia, Miriam, Flora, Agnes, Teresa, Ursula, Beatrice, Carmen, Dora,
        Petra, Winifred, Yasmin, Harriet, Imogen, Leila, Odile, Philippa, Ramona, Saskia, Tamsin,
        Xenia, Priya, Aoife, Bronwyn, Delphine, Fatima, Gwendolen, Hedda, Jocasta, Kirsten,
        Mercedes, Ottilie, Zoë, Renée, Chloë, Amélie, Noémie"""),
    'man': _items("""
        John, Peter, Thomas, Henry, Martin, Paul, Robert, Daniel, Viktor, Simon, Oscar, Frank,
        Arthur, Leo, Walter, Anton, Hugo, Samuel, Albert, Felix, Edward, Ivan, Nathan, Conrad,
        Bruno, Edgar, Marco, Ralph, Stefan, Tobias, Julian, Gregor, Emil, Isaac, Lionel, Rafael,
        Andrej, Boris, Cedric, Dmitri, Gaspard, Horace, Ignatius, Kofi, Lorenzo, Malcolm, Nikos,
        Olaf, Patrick, Quentin, Rashid, Seamus, Timothy, Ulrich, Vincent, Wilfred, Yusuf, Zoltan,
        Ambrose, Jürgen, René, José, Søren"""),
    'rare_surname': _items("""
        Müller, Peña, Lefèvre, Sørensen, Núñez, Håkansson, Çelik, Dvořák, Kovačić, Jørgensen,
        Bélanger, Żurek, Gutiérrez, Särkilä, Ağaoğlu, Brontë-Hale, Günther, Łukowski, Pálfi,
        Íñiguez, Ó Dálaigh"""),
}

# Syllables of invented surnames and towns: nearly all combinations can be said.
NAME_HEADS = _items("""
    Hal, Bren, Mar, Tor, Wick, Ash, Col, Drum, Fen, Gar, Hol, Kes, Lin, Mor, Nor, Pem, Quin, Rav,
    Sel, Thorn, Ul, Van, Wen, Yar, Zel, Bal, Cas, Dun, El, Far, Grim, Har, Ing, Jas, Kel, Lam,
    Mel, Nes, Os, Pol, Rad, San, Tam, Ver, Wal, Bos, Cran, Dal, Es, Ful""")
SURNAME_TAILS = _items("""
    ton, berg, ley, man, well, sen, ford, ova, worth, ski, court, field, ridge, stead, etti,
    escu, aki, inger, andez, quist, mont, heim, wright, low, croft, dottir, shaw, enko""")
TOWN_TAILS = _items("""
    bury, mouth, wick, haven, port, burgh, stow, minster, pool, combe, holm, vale, gate, by,
    thorpe, grad, stadt, dorf, ville, polis""")
