/*-------------------------------------------------------------------------
 *
 * liquid_locale.c
 *	  Names of months and days, and separators of numbers, by language.
 *
 * They do not come from the operating system, whose locales differ from one
 * server to the next.  A locale that is not here is English.
 *
 *-------------------------------------------------------------------------
 */
#include "liquid_locale.h"

#define NBSP	"\xC2\xA0"

static const LiquidLocale locales[] = {
	{"en",
		"January,February,March,April,May,June,July,August,September,October,November,December",
		"Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec",
		"Sunday,Monday,Tuesday,Wednesday,Thursday,Friday,Saturday",
		"Sun,Mon,Tue,Wed,Thu,Fri,Sat",
	",", "."},
	{"cs",
		"ledna,února,března,dubna,května,června,července,srpna,září,října,listopadu,prosince",
		"led,úno,bře,dub,kvě,čvn,čvc,srp,zář,říj,lis,pro",
		"neděle,pondělí,úterý,středa,čtvrtek,pátek,sobota",
		"ne,po,út,st,čt,pá,so",
	NBSP, ","},
	{"da",
		"januar,februar,marts,april,maj,juni,juli,august,september,oktober,november,december",
		"jan,feb,mar,apr,maj,jun,jul,aug,sep,okt,nov,dec",
		"søndag,mandag,tirsdag,onsdag,torsdag,fredag,lørdag",
		"søn,man,tirs,ons,tors,fre,lør",
	".", ","},
	{"de",
		"Januar,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember",
		"Jan,Feb,Mär,Apr,Mai,Jun,Jul,Aug,Sep,Okt,Nov,Dez",
		"Sonntag,Montag,Dienstag,Mittwoch,Donnerstag,Freitag,Samstag",
		"So,Mo,Di,Mi,Do,Fr,Sa",
	".", ","},
	{"es",
		"enero,febrero,marzo,abril,mayo,junio,julio,agosto,septiembre,octubre,noviembre,diciembre",
		"ene,feb,mar,abr,may,jun,jul,ago,sept,oct,nov,dic",
		"domingo,lunes,martes,miércoles,jueves,viernes,sábado",
		"dom,lun,mar,mié,jue,vie,sáb",
	".", ","},
	{"fi",
		"tammikuuta,helmikuuta,maaliskuuta,huhtikuuta,toukokuuta,kesäkuuta,heinäkuuta,elokuuta,syyskuuta,lokakuuta,marraskuuta,joulukuuta",
		"tammi,helmi,maalis,huhti,touko,kesä,heinä,elo,syys,loka,marras,joulu",
		"sunnuntai,maanantai,tiistai,keskiviikko,torstai,perjantai,lauantai",
		"su,ma,ti,ke,to,pe,la",
	NBSP, ","},
	{"fr",
		"janvier,février,mars,avril,mai,juin,juillet,août,septembre,octobre,novembre,décembre",
		"janv.,févr.,mars,avr.,mai,juin,juil.,août,sept.,oct.,nov.,déc.",
		"dimanche,lundi,mardi,mercredi,jeudi,vendredi,samedi",
		"dim.,lun.,mar.,mer.,jeu.,ven.,sam.",
	NBSP, ","},
	{"hu",
		"január,február,március,április,május,június,július,augusztus,szeptember,október,november,december",
		"jan.,febr.,márc.,ápr.,máj.,jún.,júl.,aug.,szept.,okt.,nov.,dec.",
		"vasárnap,hétfő,kedd,szerda,csütörtök,péntek,szombat",
		"V,H,K,Sze,Cs,P,Szo",
	NBSP, ","},
	{"it",
		"gennaio,febbraio,marzo,aprile,maggio,giugno,luglio,agosto,settembre,ottobre,novembre,dicembre",
		"gen,feb,mar,apr,mag,giu,lug,ago,set,ott,nov,dic",
		"domenica,lunedì,martedì,mercoledì,giovedì,venerdì,sabato",
		"dom,lun,mar,mer,gio,ven,sab",
	".", ","},
	{"nb",
		"januar,februar,mars,april,mai,juni,juli,august,september,oktober,november,desember",
		"jan,feb,mar,apr,mai,jun,jul,aug,sep,okt,nov,des",
		"søndag,mandag,tirsdag,onsdag,torsdag,fredag,lørdag",
		"søn,man,tir,ons,tor,fre,lør",
	NBSP, ","},
	{"nl",
		"januari,februari,maart,april,mei,juni,juli,augustus,september,oktober,november,december",
		"jan,feb,mrt,apr,mei,jun,jul,aug,sep,okt,nov,dec",
		"zondag,maandag,dinsdag,woensdag,donderdag,vrijdag,zaterdag",
		"zo,ma,di,wo,do,vr,za",
	".", ","},
	{"pl",
		"stycznia,lutego,marca,kwietnia,maja,czerwca,lipca,sierpnia,września,października,listopada,grudnia",
		"sty,lut,mar,kwi,maj,cze,lip,sie,wrz,paź,lis,gru",
		"niedziela,poniedziałek,wtorek,środa,czwartek,piątek,sobota",
		"niedz.,pon.,wt.,śr.,czw.,pt.,sob.",
	NBSP, ","},
	{"pt",
		"janeiro,fevereiro,março,abril,maio,junho,julho,agosto,setembro,outubro,novembro,dezembro",
		"jan,fev,mar,abr,mai,jun,jul,ago,set,out,nov,dez",
		"domingo,segunda-feira,terça-feira,quarta-feira,quinta-feira,sexta-feira,sábado",
		"dom,seg,ter,qua,qui,sex,sáb",
	".", ","},
	{"ro",
		"ianuarie,februarie,martie,aprilie,mai,iunie,iulie,august,septembrie,octombrie,noiembrie,decembrie",
		"ian.,feb.,mar.,apr.,mai,iun.,iul.,aug.,sept.,oct.,nov.,dec.",
		"duminică,luni,marți,miercuri,joi,vineri,sâmbătă",
		"dum.,lun.,mar.,mie.,joi,vin.,sâm.",
	".", ","},
	{"sv",
		"januari,februari,mars,april,maj,juni,juli,augusti,september,oktober,november,december",
		"jan.,feb.,mars,apr.,maj,juni,juli,aug.,sep.,okt.,nov.,dec.",
		"söndag,måndag,tisdag,onsdag,torsdag,fredag,lördag",
		"sön,mån,tis,ons,tors,fre,lör",
	NBSP, ","},
	{"tr",
		"Ocak,Şubat,Mart,Nisan,Mayıs,Haziran,Temmuz,Ağustos,Eylül,Ekim,Kasım,Aralık",
		"Oca,Şub,Mar,Nis,May,Haz,Tem,Ağu,Eyl,Eki,Kas,Ara",
		"Pazar,Pazartesi,Salı,Çarşamba,Perşembe,Cuma,Cumartesi",
		"Paz,Pzt,Sal,Çar,Per,Cum,Cmt",
	".", ","},
};

static int
find_locale(const char *name)
{
	int			len = name == NULL ? 0 : strcspn(name, "_-.@");

	if (len == 2 && (pg_strncasecmp(name, "no", 2) == 0 ||
					 pg_strncasecmp(name, "nn", 2) == 0))
		name = "nb";
	for (int i = 0; i < lengthof(locales); i++)
	{
		if (len == strlen(locales[i].language) &&
			pg_strncasecmp(name, locales[i].language, len) == 0)
			return i;
	}
	return 0;
}

/* The locale of the rendering, found by the language of its name */
const LiquidLocale *
liquid_locale(LiquidState *st)
{
	if (st->locale < 0)
		st->locale = find_locale(st->options->locale);
	return &locales[st->locale];
}

/* Name number n of a list with commas; returns its length. */
int
liquid_nth_name(const char *names, int n, const char **name)
{
	for (; n > 0; n--)
		names += strcspn(names, ",") + 1;
	*name = names;
	return strcspn(names, ",");
}
